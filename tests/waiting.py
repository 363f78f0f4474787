"""Wait in a test for what happens elsewhere, with a deadline and without fixed sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

from devcluster import DevclusterError

T = TypeVar("T")

# A check may look for what isn't there yet: a field, an object, an answer, or it asserts.
NOT_YET = (AssertionError, LookupError, DevclusterError)


def eventually(
    check: Callable[[], T],
    *,
    until: Callable[[T], object] = bool,
    timeout: float = 15,
    interval: float = 0.05,
    what: str = "",
) -> T:
    """Call `check` until its value satisfies `until` (by default: is true) and return that value.

    An AssertionError, LookupError or DevclusterError of `check` or `until` means: not yet; any other goes
    through. `timeout` and `interval` are seconds. Fails the test with the last value, or the last error,
    when time is up; `what` says what was waited for.
    """
    end = time.monotonic() + timeout
    while True:
        try:
            value = check()
            if until(value):
                return value
            last, cause = f"The last value was {value!r}", None
        except NOT_YET as error:
            last, cause = f"The last error was {type(error).__name__}: {error}", error
        if time.monotonic() >= end:
            raise AssertionError(f"Did not happen within {timeout:g} s: {what or _name(check)}. {last}") from cause
        time.sleep(interval)


def _name(check: Callable[[], object]) -> str:
    return getattr(check, "__qualname__", repr(check))
