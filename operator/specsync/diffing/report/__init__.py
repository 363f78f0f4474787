"""A comparison for people and for programs: ``text`` and ``json_report``."""

from specsync.diffing.report.json import Source, json_report
from specsync.diffing.report.text import text

__all__ = ["Source", "json_report", "text"]
