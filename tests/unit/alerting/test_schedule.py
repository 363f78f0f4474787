"""When digests are due and quiet hours end, in users' time zones, daylight saving included."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsync.alerting.schedule import after_quiet, next_digest, zone_of
from specsync.resources.alertpreference import Digest, QuietHours

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe")


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("digest", "at", "due"),
    [
        (Digest(every="Day"), "2026-01-02T08:59", "2026-01-02T09:00"),
        (Digest(every="Day"), "2026-01-02T09:00", "2026-01-03T09:00"),
        (Digest(every="Day", time_zone="Europe/Berlin"), "2026-01-02T08:30", "2026-01-03T08:00"),
        (Digest(every="Day", time_zone="Europe/Berlin"), "2026-03-28T08:30", "2026-03-29T07:00"),  # summer begins
        (Digest(every="Week"), "2026-01-02T12:00", "2026-01-05T09:00"),  # a Friday; Monday
        (Digest(every="Week"), "2026-01-05T09:00", "2026-01-12T09:00"),
        (Digest(every="Week", day="Friday", at="17:30"), "2026-01-02T12:00", "2026-01-02T17:30"),
        (Digest(every="Hour", at="09:15"), "2026-01-02T12:14", "2026-01-02T12:15"),
        (Digest(every="Hour", at="09:15"), "2026-01-02T12:15", "2026-01-02T13:15"),
        (Digest(every="Hour", at="00:00", time_zone="Asia/Kolkata"), "2026-01-02T12:15", "2026-01-02T12:30"),
        (Digest(every="Day", time_zone="Mars/Olympus"), "2026-01-02T08:59", "2026-01-02T09:00"),
    ],
)
def test_digests_are_due_by_the_wall_clock(digest: Digest, at: str, due: str) -> None:
    assert next_digest(digest, utc(at)) == utc(due)


NIGHT = {"from_": "22:00", "to": "07:00"}


@pytest.mark.parametrize(
    ("quiet", "at", "end"),
    [
        (QuietHours(**NIGHT), "2026-01-02T21:59", "2026-01-02T21:59"),
        (QuietHours(**NIGHT), "2026-01-02T22:00", "2026-01-03T07:00"),
        (QuietHours(**NIGHT), "2026-01-03T06:59", "2026-01-03T07:00"),
        (QuietHours(**NIGHT), "2026-01-03T07:00", "2026-01-03T07:00"),
        (QuietHours(**NIGHT, time_zone="America/New_York"), "2026-01-03T04:00", "2026-01-03T12:00"),
        (QuietHours(**NIGHT, days=["Friday"]), "2026-01-04T02:00", "2026-01-04T02:00"),  # of Saturday's night
        (QuietHours(**NIGHT, days=["Friday"]), "2026-01-03T02:00", "2026-01-03T07:00"),
        # A weekend, a day each: one follows the other.
        (QuietHours(from_="00:00", to="00:00", days=["Saturday", "Sunday"]), "2026-01-03T10:00", "2026-01-05T00:00"),
    ],
)
def test_quiet_hours_end_by_the_wall_clock(quiet: QuietHours, at: str, end: str) -> None:
    assert after_quiet(quiet, utc(at)) == utc(end)


def test_a_zone_that_does_not_exist_is_none() -> None:
    assert zone_of("Europe/Berlin") is not None
    assert zone_of("Mars/Olympus") is None
    assert zone_of("../../etc/passwd") is None


TIMES = st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(dt.UTC))
CLOCKS = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))


@given(TIMES, st.sampled_from(("Hour", "Day", "Week")), CLOCKS, st.sampled_from(ZONES))
def test_a_digest_is_due_later_and_soon(at: dt.datetime, every: str, clock: str, zone: str) -> None:
    due = next_digest(Digest(every=every, at=clock, time_zone=zone), at)  # type: ignore[arg-type]
    longest = {"Hour": dt.timedelta(hours=1), "Day": dt.timedelta(hours=25), "Week": dt.timedelta(days=7, hours=1)}[
        every
    ]
    assert at < due <= at + longest


@given(TIMES, CLOCKS, CLOCKS, st.sampled_from(ZONES))
def test_what_is_put_off_by_quiet_hours_is_put_off_once(at: dt.datetime, begin: str, end: str, zone: str) -> None:
    quiet = QuietHours(from_=begin, to=end, time_zone=zone, days=["Monday", "Wednesday"])
    first = after_quiet(quiet, at)
    assert at <= first <= at + dt.timedelta(hours=25)
    assert after_quiet(quiet, first) == first
