"""fetch: gets the document as it is served now, and ends the job where it is what it was."""

from dataclasses import dataclass, replace

from specsync.blobs.store import digest_of, off_the_loop
from specsync.fetching.errors import FetchError
from specsync.fetching.memory import Share
from specsync.fetching.request import FetchRequest
from specsync.kube.client import NotFound
from specsync.kube.core import ConfigMap
from specsync.openapi.bundle import is_bundle
from specsync.resources.dependency import SourceState
from specsync.resources.duration import seconds
from specsync.resources.meta import now, owner_reference
from specsync.resources.reasons import Reason
from specsync.resources.source import ConfigMapKeyReference, Source
from specsync.resources.syncjob import FetchOutput
from specsync.stages.contract import Stage, StageContext, StageError, StageResult
from specsync.stages.credentials import read_credentials
from specsync.stages.external import Get, Neighbours, keys_of, value_of, with_files
from specsync.stages.integrity import find_damage
from specsync.stages.service import locate


@dataclass(frozen=True, kw_only=True)
class _Document:
    """The document itself, or the word that it is what it was, and how to get the files beside it."""

    uri: str
    body: bytes
    get: Get
    not_modified: bool = False
    etag: str | None = None
    last_modified: str | None = None
    validators_of: str | None = None


async def run(context: StageContext) -> StageResult:
    with context.fetcher.room.share() as share:  # until the blob is stored
        return await _run(context, share)


async def _run(context: StageContext, share: Share) -> StageResult:
    source = context.dependency.spec.source
    damage = await find_damage(context)
    # What is damaged is stored anew from the whole document, be it unchanged or not.
    known = _known_state(context) if damage is None else None
    fetched_at = now()
    if source.config_map_ref is not None:
        found = await _read_config_map(context, source.config_map_ref)
    else:
        found = await _download(context, source, known, share)
    if found.not_modified and known is not None:
        return _unchanged(known, found, "304 Not Modified")
    body, files = found.body, 1
    raw_digest = await off_the_loop(len(body), digest_of, body)
    if source.external_refs == "SameOrigin" and not (known is not None and raw_digest == known.raw_digest):
        body, files = await with_files(context, found.uri, body, found.get)
        raw_digest = await off_the_loop(len(body), digest_of, body)
    if files > 1:
        # What the server says of one file says nothing of the others: all are fetched anew, and compared.
        found = replace(found, etag=None, last_modified=None, validators_of=None)
    if known is not None and raw_digest == known.raw_digest:
        return _unchanged(known, found, "same content")
    raw = await context.blobs.put(context.namespace, body, owner_reference(context.job))
    output = FetchOutput(
        source_digest=context.dependency.spec.reading_digest(),
        raw=raw,
        raw_digest=raw_digest,
        files=files,
        external_refs=source.external_refs,
        etag=found.etag,
        last_modified=found.last_modified,
        validators_of=found.validators_of,
        fetched_at=fetched_at,
        damage=damage,
    )
    return StageResult(
        output, message=f"{files} files, {len(body)} bytes as an archive" if files > 1 else f"{len(body)} bytes"
    )


STAGE = Stage("fetch", run, deadline=420.0)  # the longest spec.source.timeout, waiting for a turn, the blob's upload


def _known_state(context: StageContext) -> SourceState | None:
    """What the last success said of this very source, read in the same way.

    Nothing where there is no snapshot to be unchanged from.
    """
    status, reading = context.dependency.status, context.dependency.spec.reading_digest()
    if status.current is None or status.source is None or status.source.url_digest != reading:
        return None
    return status.source


def _unchanged(known: SourceState, found: _Document, message: str) -> StageResult:
    output = FetchOutput(
        source_digest=known.url_digest,
        not_modified=True,
        raw_digest=known.raw_digest,
        etag=found.etag,
        last_modified=found.last_modified,
        validators_of=found.validators_of,
        fetched_at=now(),
    )
    return StageResult(output, message=message, ends="Unchanged")


async def _read_config_map(context: StageContext, ref: ConfigMapKeyReference) -> _Document:
    try:
        config_map = await context.client.get(ConfigMap, context.namespace, ref.name)
    except NotFound:
        raise StageError(
            Reason.CONFIG_MAP_NOT_FOUND,
            f"ConfigMap {ref.name} doesn't exist in namespace {context.namespace}: create it, "
            "or correct spec.source.configMapRef.name",
            retryable=True,  # applied together, a Dependency may be there some seconds before its ConfigMap
        ) from None
    body = value_of(config_map, ref.key)
    if body is None:
        raise StageError(
            Reason.CONFIG_MAP_KEY_MISSING,
            f"ConfigMap {ref.name} has no key {ref.key}: add it, or correct spec.source.configMapRef.key",
            retryable=True,
        )
    _refuse_bundle(body)
    return _Document(uri=f"file:///{ref.key}", body=body, get=keys_of(config_map))


async def _download(context: StageContext, source: Source, known: SourceState | None, share: Share) -> _Document:
    credentials = await read_credentials(context, source)
    url, pin = (source.url or "", None) if source.service_ref is None else await locate(context, source.service_ref)
    request = FetchRequest(
        url=url,
        timeout=seconds(source.timeout),
        max_bytes=context.max_document_bytes,
        etag=known.etag if known else None,
        last_modified=known.last_modified if known else None,
        validators_of=known.validators_of if known else None,
        credentials=credentials,
        user_agent=context.user_agent,
        pin=pin,
        share=share,
    )
    try:
        answer = await context.fetcher.fetch(request)
    except FetchError as error:
        raise StageError(
            Reason(error.reason.value), error.message, retryable=error.retryable, retry_after=error.retry_after
        ) from None
    share.keep(len(answer.body))
    _refuse_bundle(answer.body)
    return _Document(
        uri=answer.final_url,
        body=answer.body,
        get=Neighbours(context.fetcher, request, answer).get,
        not_modified=answer.not_modified,
        etag=answer.etag,
        last_modified=answer.last_modified,
        validators_of=answer.validators_of,
    )


def _refuse_bundle(body: bytes) -> None:
    """Archives of files are made here, of what was fetched; a server has no business to make one."""
    if is_bundle(body):
        raise StageError(
            Reason.NOT_OPENAPI, "The document is an archive, not an OpenAPI document. Serve the file itself."
        )
