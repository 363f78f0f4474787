"""What goes wrong with an object store becomes a reason and one sentence, without anything secret."""

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from specsync.blobs.location import Location
from specsync.blobs.settings import decoded
from specsync.blobs.store import BlobStoreError
from specsync.blobs.storeerrors import store_error
from specsync.resources.reasons import Reason

BUCKET = Location("s3", "bucket", "a")
ANSWER = "Server returned non-2xx status code: {}: <Error><Code>{}</Code><Message>s3cret</Message></Error>"


def answered(status: str, code: str) -> Exception:
    return GenericError(
        f"Generic S3 error: Error performing PUT http://s3cret@host/b in 1ms - {ANSWER}".format(status, code)
    )


@pytest.mark.parametrize(
    ("error", "reason", "says"),
    [
        (TimeoutError(), Reason.BLOB_STORE_UNAVAILABLE, "didn't answer in time"),
        (GenericError("HTTP error: error sending request"), Reason.BLOB_STORE_UNAVAILABLE, "can't be reached"),
        (answered("503 Slow Down", "SlowDown"), Reason.BLOB_STORE_UNAVAILABLE, "error of its own (503 SlowDown)"),
        (answered("429 Too Many", "X" * 80), Reason.BLOB_STORE_UNAVAILABLE, "(429)"),
        (answered("507 Insufficient Storage", "InsufficientStorage"), Reason.BLOB_STORE_FULL, "is full"),
        (answered("403 Forbidden", "QuotaExceeded"), Reason.BLOB_STORE_FULL, "is full"),
        (GenericError("No space left on device (os error 28)"), Reason.BLOB_STORE_FULL, "is full"),
        (GenericError("Disk quota exceeded (os error 122)"), Reason.BLOB_STORE_FULL, "is full"),
        (PermissionDeniedError(ANSWER.format(403, "AccessDenied")), Reason.BLOB_STORE_REFUSED, "(403 AccessDenied)"),
        (FileNotFoundError(ANSWER.format(404, "NoSuchBucket")), Reason.BLOB_STORE_REFUSED, "create the bucket"),
        (GenericError("Permission denied (os error 13)"), Reason.BLOB_STORE_REFUSED, "can't be written"),
        (GenericError("GET http://169.254.169.254/latest: error"), Reason.BLOB_STORE_REFUSED, "no credentials"),
        (answered("301 Moved", "PermanentRedirect"), Reason.BLOB_STORE_REFUSED, "set AWS_REGION"),
        (answered("400 Bad Request", "InvalidArgument"), Reason.BLOB_STORE_REFUSED, "refuses the request"),
    ],
)
def test_reasons(error: Exception, reason: Reason, says: str) -> None:
    found = store_error(BUCKET, error)
    assert (found.reason, found.retryable) == (reason, True)
    assert says in str(found)
    assert str(found).startswith("the object store s3://bucket/a ") or says == "no credentials"
    assert "s3cret" not in str(found)


def test_a_secret_that_can_not_be_used_is_told_by_its_keys() -> None:
    assert decoded({"AWS_REGION": b"eu-central-1\n"}, "Secret x") == {"AWS_REGION": "eu-central-1"}
    for data in ({"access-key": b"s3cret"}, {"AWS_REGION": b"\xff\xfe"}):
        with pytest.raises(BlobStoreError) as error:
            decoded(data, "Secret x")
        assert error.value.reason == Reason.BLOB_STORE_REFUSED
        assert "s3cret" not in str(error.value)
