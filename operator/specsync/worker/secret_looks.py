"""Whether a Secret of a failing channel was written: that may be what mends it.

Secrets aren't watched, for that takes the right to list all of them. Those of channels that fail are asked for by name.
"""

import time

import structlog

from specsync.alerting.secrets import OutletMaker
from specsync.kube.client import ApiError
from specsync.resources import AlertChannel

log = structlog.get_logger()

SECRETS_EVERY = 15.0  # seconds between two looks


class SecretLooks:
    """The looks at one channel's Secrets."""

    def __init__(self, outlets: OutletMaker) -> None:
        self._outlets = outlets
        self._versions: tuple[str, ...] | None = None  # as of the last look; None: there was none yet
        self._at = 0.0  # of the last look, monotonic

    async def written(self, channel: AlertChannel, *, failing: bool) -> bool:
        """Whether one was written since the last look, when another is due. None is needed unless `failing`."""
        if not failing:
            self._versions = None
            return False
        if self._versions is not None and time.monotonic() - self._at < SECRETS_EVERY:
            return False
        self._at = time.monotonic()
        try:
            found = await self._outlets.versions(channel)
        except ApiError as error:
            log.warning("channel's Secrets not looked at", channel=channel.metadata.name, error=str(error))
            return False
        before, self._versions = self._versions, found
        return before is not None and before != found
