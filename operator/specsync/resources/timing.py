"""Times of day in time zones, as alert preferences have them."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from specsync.resources.meta import rules

Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _time_rule(field: str) -> dict[str, Any]:
    rule = "self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')"
    return rules((rule, f"{field} must be a time of day as HH:MM, for example 09:00 or 22:30"))


def time_of_day(field: str, description: str) -> Meta:
    """What a field needs that is a time of day."""
    return Meta(max_length=5, description=description, extra_json_schema=_time_rule(field))


# The syntax only. Which zones there are the operator's tzdata knows; an unknown one counts as UTC, and explain says so.
TimeZone = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        description="Name of a time zone of the IANA list, such as Europe/Berlin. Default UTC.",
        extra_json_schema=rules(
            (
                "self.matches('^[A-Za-z][-+_A-Za-z0-9]*(/[A-Za-z0-9][-+_A-Za-z0-9]*){0,2}$')"
                " && (self in ['UTC', 'GMT'] || self.contains('/'))",
                "timeZone must be a name of the IANA list, for example Europe/Berlin, America/New_York or UTC",
            )
        ),
    ),
]
