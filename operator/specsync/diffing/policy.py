"""What a comparison depends on besides the two documents."""

from __future__ import annotations

import datetime

import msgspec


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a team. The defaults are those of oasdiff."""

    today: datetime.date = msgspec.field(default_factory=_today)
    """Sunset dates are judged against this day (UTC)."""
    sunset_days_beta: int = 0
    """Days that a deprecated operation of stability ``beta`` must stay; 0: a sunset date isn't asked for."""
    sunset_days_stable: int = 0
    """The same for all other operations."""

    def sunset_days(self, stability: str) -> int:
        """Days that must pass between deprecation and sunset. ``stability`` is empty where none is declared."""
        if stability in ("draft", "alpha"):
            return 0
        return self.sunset_days_beta if stability == "beta" else self.sunset_days_stable
