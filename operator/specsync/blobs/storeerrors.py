"""What the object store's library raises, in the words of this product: a reason, and a sentence without secrets.

Nothing of a server's own text is repeated, for it may quote keys and signed requests: only its status and error code.
"""

import re

from specsync.blobs.location import Location
from specsync.blobs.store import BlobStoreError
from specsync.resources.reasons import Reason

_STATUS = re.compile(r"status code: (\d{3})|status: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z]{3,64})</Code>")
_FULL = re.compile(r"os error (28|122)\b|\b507\b|<Code>[A-Za-z]*(Quota|StorageFull|InsufficientStorage)")
_NO_RIGHT = re.compile(r"os error (1|13|30)\b")
_NO_CREDENTIALS = re.compile(r"169\.254\.|metadata\.google|[Cc]redential|[Tt]oken request|Account must be specified")
_OTHER_REGION = re.compile(r"redirect without LOCATION|PermanentRedirect|AuthorizationHeaderMalformed")


def store_error(location: Location, error: Exception) -> BlobStoreError:
    """A BlobStoreError for an error of the library, or of the wait for it."""
    where = f"the object store {location}"
    if isinstance(error, TimeoutError):
        return _unavailable(f"{where} didn't answer in time")
    text = str(error).partition("Debug source")[0]
    status, detail = _status(text), _detail(text)
    if _FULL.search(text):
        return BlobStoreError(Reason.BLOB_STORE_FULL, f"{where} is full{detail}: make room, or raise its quota")
    if _OTHER_REGION.search(text) or status in (301, 307):
        return _refused(f"{where} is in another region{detail}: set AWS_REGION to the bucket's")
    if "NoSuchBucket" in text or (isinstance(error, FileNotFoundError) and status == 404):
        return _refused(f"{where} doesn't exist{detail}: create the bucket, or correct --blob-store")
    if status in (401, 403) or type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError"):
        return _refused(f"{where} refuses the operator{detail}: check its credentials and its rights on the bucket")
    if _NO_RIGHT.search(text):
        return _refused(f"{where} can't be written: give the operator's user the rights on that folder")
    if _NO_CREDENTIALS.search(text):
        return _refused(
            f"no credentials for {where} were found: name a Secret in --blob-store-secret, or give the Pods an identity"
        )
    if status is not None and 400 <= status < 500 and status not in (408, 409, 425, 429):
        return _refused(f"{where} refuses the request{detail}")
    what = "has an error of its own" if detail else "can't be reached"
    return _unavailable(f"{where} {what}{detail}")


def _refused(message: str) -> BlobStoreError:
    return BlobStoreError(Reason.BLOB_STORE_REFUSED, message)


def _unavailable(message: str) -> BlobStoreError:
    return BlobStoreError(Reason.BLOB_STORE_UNAVAILABLE, message)


def _status(text: str) -> int | None:
    found = _STATUS.search(text)
    return int(found.group(1) or found.group(2)) if found else None


def _detail(text: str) -> str:
    """The status and error code in brackets, as far as there are any."""
    status, code = _status(text), _CODE.search(text)
    parts = [str(status)] if status else []
    parts += [code.group(1)] if code else []
    return f" ({' '.join(parts)})" if parts else ""
