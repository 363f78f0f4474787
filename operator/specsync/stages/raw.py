"""The fetched document as a part of an engine call: loaded from its blob only where the child process lacks it."""

from specsync.blobs.store import BlobCorrupted, BlobMissing
from specsync.resources.blobref import BlobRef
from specsync.resources.reasons import Reason
from specsync.resources.syncjob import FetchOutput
from specsync.stages.contract import Load, StageContext, StageError


def raw_part(context: StageContext, fetched: FetchOutput) -> dict[str, Load]:
    if fetched.raw is None:
        raise StageError(Reason.INTERNAL_ERROR, "the fetch stage recorded no document; create another SyncJob")
    return {fetched.raw_digest: loader(context, fetched.raw)}


def loader(context: StageContext, ref: BlobRef) -> Load:
    """Reads a blob, with its errors as a stage's."""

    async def load() -> bytes:
        try:
            return await context.blobs.get(context.namespace, ref)
        except BlobMissing as error:
            raise StageError(Reason.BLOB_MISSING, f"{error}; ask for another sync") from error
        except BlobCorrupted as error:
            raise StageError(Reason.BLOB_CORRUPTED, f"{error}; ask for another sync, which stores it anew") from error

    return load
