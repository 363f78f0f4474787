"""Connection pools over the guard: one per set of credentials and trust, closed after a while without use."""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpcore

from specsync.fetching.guard import Guard, GuardedBackend, Pin
from specsync.fetching.request import Credentials
from specsync.fetching.tls import tls_context

# httpcore tries to import sniffio for each lock that it makes. Without this, looking for a module that isn't installed
# is a good part of what a fetch costs.
try:
    import sniffio  # type: ignore[import-not-found]  # noqa: F401
except ImportError:
    sys.modules["sniffio"] = None  # type: ignore[assignment]

_IDLE_SECONDS = 30.0
_MAX_KEPT_CONNECTIONS = 32


@dataclass(slots=True)
class _Pool:
    connections: httpcore.AsyncConnectionPool
    users: int = 0
    last_used: float = 0.0


class ConnectionPools:
    """Kept-alive connections of one event loop. Requests share a connection only with the same credentials and pin."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._pools: dict[tuple[bytes, Pin | None, bool, bool], _Pool] = {}

    @asynccontextmanager
    async def use(
        self, credentials: Credentials, pin: Pin | None, *, same_origin: bool, same_host: bool
    ) -> AsyncIterator[httpcore.AsyncConnectionPool]:
        """The pool for a request with ``credentials`` to their own origin, host, or (after a redirect) elsewhere.

        Its guard opens the ``pin``, under its own name only. Elsewhere there is no client certificate, and a CA of
        the user's is trusted beside the public ones only.
        """
        await self._close_idle()
        key = (credentials.identity(), pin, same_origin, same_host)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = self._open(credentials, pin, same_origin=same_origin, same_host=same_host)
        pool.users += 1
        try:
            yield pool.connections
        finally:
            pool.users -= 1
            pool.last_used = time.monotonic()

    async def aclose(self) -> None:
        """Closes every connection."""
        while self._pools:
            _, pool = self._pools.popitem()
            await pool.connections.aclose()

    async def _close_idle(self) -> None:
        oldest = time.monotonic() - _IDLE_SECONDS
        idle = {key: pool for key, pool in self._pools.items() if not pool.users and pool.last_used < oldest}
        for key in idle:  # all of them before the first await, so that nobody takes one that is about to close
            del self._pools[key]
        for pool in idle.values():
            await pool.connections.aclose()

    def _open(self, credentials: Credentials, pin: Pin | None, *, same_origin: bool, same_host: bool) -> _Pool:
        context = tls_context(
            credentials.ca_pem,
            public_roots=credentials.ca_pem is None or not same_host,
            client_cert=credentials.client_certificate() if same_origin else None,
            shown=credentials.tls_from,
        )
        return _Pool(
            httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=None,
                max_keepalive_connections=_MAX_KEPT_CONNECTIONS,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=GuardedBackend(self._guard.pinned(pin)),
            )
        )
