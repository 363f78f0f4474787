"""What changed between two versions of an API, and for whom it breaks. Pure: no I/O, nothing of Kubernetes."""

from specsync.diffing.compare import compare
from specsync.diffing.comparison import Cause, Comparison, Event, Location, OperationRef, Summary
from specsync.diffing.policy import Policy

__all__ = ["Cause", "Comparison", "Event", "Location", "OperationRef", "Policy", "Summary", "compare"]
