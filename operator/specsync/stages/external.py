"""spec.source.externalRefs: SameOrigin: the files that a document refers to, from where it is itself.

Which files those are is found in a child process, which is given back while they are fetched: a server that takes its
time holds nobody else's documents up. They come one after the other, for a host's rate allows no more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from specsync.blobs.store import digest_of
from specsync.fetching.client import Fetcher
from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.redact import redact_url
from specsync.fetching.request import ANONYMOUS, Credentials, FetchRequest, FetchResult
from specsync.kube.core import ConfigMap
from specsync.openapi.bundle import Bundle, pack, shown_name
from specsync.openapi.joining import Wanted
from specsync.resources.reasons import Reason
from specsync.stages.contract import REFUSALS, StageContext, StageError
from specsync.stages.engine import MissingFiles

MOST_FILES = 200
_LONGEST_CHAIN = 20  # files, each referred to only by the one before
_NO_TIME = 0.05  # seconds

Get = Callable[[Wanted, int], Awaitable[bytes]]
"""Fetches a file of at most so many bytes. Raises StageError."""


async def with_files(context: StageContext, root: str, body: bytes, get: Get) -> tuple[bytes, int]:
    """The document with all files that it refers to as one bundle, and how many that are; alone it stays as it is.

    `root` is its URI. The archive has it without the query, which may hold a secret, or a signature that is new each
    time. Raises StageError: what `get` raises, and LimitExceeded.
    """
    root = root.partition("?")[0]
    files = {root: body}
    for _ in range(_LONGEST_CHAIN):
        packed = await asyncio.to_thread(pack, Bundle(root=root, files=files))
        wanted = await _missing(context, packed)
        if not wanted:
            return (packed, len(files)) if len(files) > 1 else (body, 1)
        if len(files) + len(wanted) > MOST_FILES:
            raise _too_many(root, f"it refers to more than {MOST_FILES - 1} other files")
        for each in wanted:
            left = context.max_document_bytes - sum(map(len, files.values()))
            files[each.uri] = await get(each, left)
    raise _too_many(root, f"its files refer to each other over more than {_LONGEST_CHAIN - 1} steps")


async def _missing(context: StageContext, packed: bytes) -> list[Wanted]:
    digest = await asyncio.to_thread(digest_of, packed)

    async def load() -> bytes:
        return packed

    try:
        found = await context.engine.call("missing_files", MissingFiles, {digest: load}, files=digest)
    except StageError as error:
        if error.reason not in REFUSALS:
            raise
        return []  # the parse stage will say the same, where it belongs
    finally:
        await context.engine.release()
    return found.files


class Neighbours:
    """Gets files from the server that the document came from, within what its fetch left of time."""

    def __init__(self, fetcher: Fetcher, request: FetchRequest, answer: FetchResult) -> None:
        self._fetcher = fetcher
        self._seconds = request.timeout
        self._left = answer.seconds_left
        self._root = redact_url(answer.final_url)
        # A redirect took the document elsewhere: nothing of a Secret goes there, but a host's authority stays its own.
        credentials = request.credentials if answer.same_origin else ANONYMOUS
        if not answer.same_origin and urlsplit(request.url).hostname == urlsplit(answer.final_url).hostname:
            credentials = Credentials(ca_pem=request.credentials.ca_pem, tls_from=request.credentials.tls_from)
        self._request = replace(request, etag=None, last_modified=None, validators_of=None, credentials=credentials)

    async def get(self, wanted: Wanted, most: int) -> bytes:
        request = replace(self._request, url=wanted.uri, timeout=max(self._left, _NO_TIME), max_bytes=most)
        try:
            answer = await self._fetcher.fetch(request)
        except FetchError as error:
            text = f"{self._explained(error)} The $ref at {wanted.place} leads there."
            raise StageError(
                Reason(error.reason.value), text, retryable=error.retryable, retry_after=error.retry_after
            ) from None
        self._left = answer.seconds_left
        if request.share is not None:
            request.share.keep(len(answer.body))
        return answer.body

    def _explained(self, error: FetchError) -> str:
        if error.reason is FetchReason.TIMEOUT and self._left < self._seconds / 2:
            return (
                f"{self._root} and its files were not fetched within {self._seconds:g} seconds: set a longer timeout."
            )
        if error.reason is FetchReason.TOO_LARGE:
            return f"{self._root} and its files are together larger than the operator's limit: ask for a higher one."
        return error.message


def keys_of(config_map: ConfigMap) -> Get:
    """Gets files from the keys of a ConfigMap, where the document is one too."""

    async def get(wanted: Wanted, most: int) -> bytes:
        key = unquote(urlsplit(wanted.uri).path.removeprefix("/"))
        content = value_of(config_map, key)
        if content is None:
            text = (
                f"ConfigMap {config_map.metadata.name} has no key {key}, where the $ref at {wanted.place} leads: add it"
            )
            raise StageError(Reason.CONFIG_MAP_KEY_MISSING, text, retryable=True)
        if len(content) > most:
            raise StageError(Reason.TOO_LARGE, f"ConfigMap {config_map.metadata.name} is larger than is read: split it")
        return content

    return get


def value_of(config_map: ConfigMap, key: str) -> bytes | None:
    if key in config_map.data:
        return config_map.data[key].encode()
    return config_map.binary_data.get(key)


def _too_many(root: str, why: str) -> StageError:
    name = shown_name(root, root)
    return StageError(
        Reason.LIMIT_EXCEEDED, f"{name}: {why}: point the source at a document that holds them (a bundle)"
    )
