"""Judging OpenAPI documents: against the official meta-schemas, and by what schemas can't say. Pure: no I/O but for
reading the shipped meta-schemas.
"""

from specsync.openapi.validation.findings import Finding, Report, Severity
from specsync.openapi.validation.judge import judge

__all__ = ["Finding", "Report", "Severity", "judge"]
