"""Wait for a condition with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

from devcluster.errors import DevclusterError

T = TypeVar("T")


def wait_until(check: Callable[[], T | None], *, what: str, timeout: float, interval: float = 0.02) -> T:
    """Call `check` until it gives a true value, and return that value.

    `timeout` and `interval` are seconds. Raises DevclusterError with `what` in its text when time is up;
    whatever `check` raises goes through, so a check can give up early.
    """
    end = time.monotonic() + timeout
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() >= end:
            raise DevclusterError(f"Gave up after {timeout:g} s waiting for {what}.")
        time.sleep(interval)
