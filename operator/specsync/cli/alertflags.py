"""The flags of the operator that are about alerts."""

import argparse
import re

from specsync.alerting.pace import AlertSettings, AlertTiming
from specsync.cli.flags import duration

_TIMING, _SETTINGS = AlertTiming(), AlertSettings()
_DURATIONS = (
    (
        "--alert-window",
        _TIMING.window,
        "after a message, others to the same channel wait so long and go as one group (30s)",
    ),
    ("--alert-give-up", _TIMING.give_up_after, "give a message up that its channel didn't take in this time (72h)"),
    ("--alert-retry", _TIMING.first_retry, "pause before the second attempt; it doubles up to 1h (5s)"),
    ("--alert-timeout", _TIMING.timeout, "time for one sending (30s)"),
    ("--alert-history", _SETTINGS.keep_finished, "delete AlertDeliveries that ended so long ago (720h)"),
)


def add_alert_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dashboard-url", metavar="URL", help="link alerts to pages below this URL: URL/NAMESPACE/changes/NAME"
    )
    for flag, default, text in _DURATIONS:
        parser.add_argument(flag, type=duration, default=default, metavar="DURATION", help=text)
    parser.add_argument(
        "--allow-apprise",
        action="append",
        default=[],
        metavar="SCHEME",
        help="let channels of type Apprise use this scheme (it connects past the guard); may be repeated",
    )


def alert_settings(options: argparse.Namespace) -> AlertSettings:
    """Raises ValueError, which says what to write."""
    dashboard = (options.dashboard_url or "").rstrip("/")
    if dashboard and not re.fullmatch(r"https?://[^/?#@\s\x00-\x20<>\"]+(/[^?#\s<>\"]*)?", dashboard):
        raise ValueError("--dashboard-url isn't a URL without query: write for example https://specsync.example.com")
    for scheme in options.allow_apprise:
        if not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
            raise ValueError(f"--allow-apprise {scheme!r} isn't a scheme: write for example discord")
    timing = AlertTiming(
        give_up_after=options.alert_give_up,
        window=options.alert_window,
        first_retry=options.alert_retry,
        last_retry=max(_TIMING.last_retry, options.alert_retry),
        timeout=options.alert_timeout,
    )
    return AlertSettings(
        timing=timing,
        dashboard_url=dashboard,
        apprise_schemes=frozenset(options.allow_apprise),
        keep_finished=options.alert_history,
    )
