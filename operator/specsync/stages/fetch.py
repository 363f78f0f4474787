"""fetch: gets the document as it is served now, and ends the job where it is what it was."""

import asyncio

from specsync.blobs.store import digest_of
from specsync.fetching.errors import FetchError
from specsync.fetching.request import FetchRequest, FetchResult
from specsync.kube.client import NotFound
from specsync.kube.core import ConfigMap
from specsync.resources.dependency import ConfigMapKeyReference, Source, SourceState
from specsync.resources.duration import seconds
from specsync.resources.meta import now, owner_reference
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import FetchOutput
from specsync.stages.contract import Stage, StageContext, StageError, StageResult
from specsync.stages.credentials import read_credentials
from specsync.stages.service import locate


async def run(context: StageContext) -> StageResult:
    source = context.dependency.spec.source
    known = _known_state(context)
    fetched_at = now()
    if source.config_map_ref is not None:
        body = await _read_config_map(context, source.config_map_ref)
        etag = last_modified = None
    else:
        answer = await _download(context, source, known)
        body, etag, last_modified = answer.body, answer.etag, answer.last_modified
        if answer.not_modified and known is not None:
            return _unchanged(known, etag, last_modified, "304 Not Modified")
    raw_digest = await asyncio.to_thread(digest_of, body)
    if known is not None and raw_digest == known.raw_digest:
        return _unchanged(known, etag, last_modified, "same content")
    raw = await context.blobs.put(context.namespace, body, owner_reference(context.job))
    output = FetchOutput(
        source_digest=context.dependency.spec.reading_digest(),
        raw=raw,
        raw_digest=raw_digest,
        etag=etag,
        last_modified=last_modified,
        fetched_at=fetched_at,
    )
    return StageResult(output, message=f"{len(body)} bytes")


STAGE = Stage("fetch", run, deadline=420.0)  # the longest spec.source.timeout, waiting for a turn, the blob's upload


def _known_state(context: StageContext) -> SourceState | None:
    """What the last success said of this very source, read in the same way.

    Nothing where there is no snapshot to be unchanged from.
    """
    status, reading = context.dependency.status, context.dependency.spec.reading_digest()
    if status.current is None or status.source is None or status.source.url_digest != reading:
        return None
    return status.source


def _unchanged(known: SourceState, etag: str | None, last_modified: str | None, message: str) -> StageResult:
    output = FetchOutput(
        source_digest=known.url_digest,
        not_modified=True,
        raw_digest=known.raw_digest,
        etag=etag,
        last_modified=last_modified,
        fetched_at=now(),
    )
    return StageResult(output, message=message, ends="Unchanged")


async def _read_config_map(context: StageContext, ref: ConfigMapKeyReference) -> bytes:
    try:
        config_map = await context.client.get(ConfigMap, context.namespace, ref.name)
    except NotFound:
        raise StageError(
            Reason.CONFIG_MAP_NOT_FOUND,
            f"ConfigMap {ref.name} doesn't exist in namespace {context.namespace}: create it, "
            "or correct spec.source.configMapRef.name",
        ) from None
    if ref.key in config_map.data:
        return config_map.data[ref.key].encode()
    if ref.key in config_map.binary_data:
        return config_map.binary_data[ref.key]
    raise StageError(
        Reason.CONFIG_MAP_KEY_MISSING,
        f"ConfigMap {ref.name} has no key {ref.key}: add it, or correct spec.source.configMapRef.key",
    )


async def _download(context: StageContext, source: Source, known: SourceState | None) -> FetchResult:
    credentials = await read_credentials(context, source)
    url, pin = (source.url or "", None) if source.service_ref is None else await locate(context, source.service_ref)
    request = FetchRequest(
        url=url,
        timeout=seconds(source.timeout),
        max_bytes=context.max_document_bytes,
        etag=known.etag if known else None,
        last_modified=known.last_modified if known else None,
        credentials=credentials,
        user_agent=context.user_agent,
        pin=pin,
    )
    try:
        return await context.fetcher.fetch(request)
    except FetchError as error:
        raise StageError(
            Reason(error.reason.value), error.message, retryable=error.retryable, retry_after=error.retry_after
        ) from None
