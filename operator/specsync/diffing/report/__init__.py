"""A comparison for people and for programs: one module for each format, imported by whoever needs it.

All text of documents is data here: each format escapes it, and none lets control characters through.
"""

from specsync.diffing.report.text import text

__all__ = ["text"]
