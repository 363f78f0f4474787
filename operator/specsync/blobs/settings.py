"""Settings and credentials of the object stores: a Secret in the operator's namespace, read while it runs."""

import asyncio
import time
from collections.abc import Mapping
from typing import Protocol

from specsync.blobs.location import unknown_settings
from specsync.blobs.store import BlobStoreError
from specsync.kube.client import ApiError, KubeClient, NotFound
from specsync.kube.core import Secret
from specsync.resources.reasons import Reason

# A rotated Secret counts after at most this many seconds, and at once when the store refuses the old one.
_READ_EVERY = 60.0


class StoreSettings(Protocol):
    async def read(self) -> dict[str, str]:
        """The settings as they are now, by their well-known names. Raises BlobStoreError, ApiError."""
        ...

    def expire(self) -> None:
        """What was read last doesn't do any more."""
        ...


class Environment:
    """No settings of our own: the library takes the process's environment, or the Pod's identity."""

    async def read(self) -> dict[str, str]:
        return {}

    def expire(self) -> None:
        pass


class SecretSettings:
    """The keys of one Secret. While it can't be read, what was read last still counts."""

    def __init__(self, client: KubeClient, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._known: dict[str, str] | None = None
        self._read_at = 0.0
        self._turn = asyncio.Lock()

    async def read(self) -> dict[str, str]:
        async with self._turn:
            if self._known is None or time.monotonic() - self._read_at > _READ_EVERY:
                try:
                    self._known = await self._ask()
                except ApiError:
                    if self._known is None:
                        raise
                self._read_at = time.monotonic()
            return self._known

    def expire(self) -> None:
        self._read_at = 0.0

    async def _ask(self) -> dict[str, str]:
        where = f"Secret {self._name} in namespace {self._namespace}"
        try:
            secret = await self._client.get(Secret, self._namespace, self._name)
        except NotFound:
            raise _refused(f"{where}, which --blob-store-secret names, doesn't exist: create it") from None
        except ApiError as error:
            if error.status == 403:
                raise _refused(f"the operator may not read {where}: grant it by a Role") from None
            raise
        return decoded(secret.data, where)


def decoded(data: Mapping[str, bytes], where: str) -> dict[str, str]:
    """The text of a Secret's keys. Raises BlobStoreError for one that can't be used; its value is not told."""
    try:
        found = {key: value.decode().strip() for key, value in data.items()}
    except UnicodeDecodeError:
        raise _refused(f"{where} holds a value that isn't UTF-8 text") from None
    if strange := unknown_settings(found):
        raise _refused(f"{where} has a key that no object store knows: {', '.join(strange[:3])}")
    return found


def _refused(message: str) -> BlobStoreError:
    return BlobStoreError(Reason.BLOB_STORE_REFUSED, message)
