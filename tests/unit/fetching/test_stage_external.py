"""The files that a document refers to: how many, from whom, with which credentials, and in what time."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.request import ANONYMOUS, Credentials, FetchRequest, FetchResult
from specsync.openapi.bundle import is_bundle, unpack
from specsync.openapi.errors import DocumentError
from specsync.openapi.joining import Wanted
from specsync.resources.reasons import Reason
from specsync.stages.contract import StageContext, StageError
from specsync.stages.engine import DocumentEngine, PartMissing
from specsync.stages.external import MOST_FILES, Neighbours, with_files

ROOT = "https://api.example.com/v1/openapi.json"
MIB = 1024 * 1024


class Engine:
    """The real engine, and whether a child process would be held."""

    def __init__(self) -> None:
        self._engine = DocumentEngine()
        self.held = False

    async def call(self, operation: str, reply: Any, parts: dict[str, Any], **arguments: str) -> Any:
        self.held = True
        while True:
            try:
                return getattr(self._engine, operation)(**arguments)
            except PartMissing as missing:
                self._engine.add(missing.digest, await parts[missing.digest]())
            except DocumentError as error:
                raise StageError(Reason(error.reason), error.message) from None

    async def release(self) -> None:
        self.held = False


def gathered(body: bytes, files: Any, engine: Engine | None = None, root: str = ROOT) -> tuple[bytes, int]:
    """`files`: what there is by URI, or a function of it."""
    used = engine or Engine()

    async def get(wanted: Wanted, most: int) -> bytes:
        assert not used.held, "a child process is held while a server is waited for"
        assert most == MIB - sum(map(len, fetched))
        found: bytes = files(wanted.uri) if callable(files) else files[wanted.uri]
        fetched.append(found)
        return found

    fetched = [body]
    context = cast(StageContext, SimpleNamespace(engine=used, max_document_bytes=MIB))
    return asyncio.run(with_files(context, root, body, get))


def document(*references: str) -> bytes:
    schemas = ",".join(f'"S{number}":{{"$ref":"{each}"}}' for number, each in enumerate(references))
    return b'{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{},"components":{"schemas":{%b}}}' % (
        schemas.encode()
    )


def test_a_document_alone_stays_as_it_is() -> None:
    engine = Engine()
    assert gathered(document("#/components/schemas/S0"), {}, engine) == (document("#/components/schemas/S0"), 1)
    assert not engine.held


def test_all_files_are_gathered_over_several_steps() -> None:
    files = {
        "https://api.example.com/v1/a.json": b'{"items": {"$ref": "b/c.json#/x"}}',
        "https://api.example.com/v1/b/c.json": b'{"x": {"$ref": "../a.json"}}',
    }
    packed, count = gathered(document("a.json"), files)
    assert count == 3
    assert is_bundle(packed)
    assert unpack(packed).files == {ROOT: document("a.json"), **files}


def test_the_query_of_the_documents_address_is_not_in_the_archive() -> None:
    files = {"https://api.example.com/v1/a.json": b'{"items": {"$ref": "openapi.json#/components/schemas/S0"}}'}
    packed, count = gathered(document("a.json"), files, root=f"{ROOT}?signature=first")
    assert count == 2
    assert b"signature" not in packed
    assert gathered(document("a.json"), files, root=f"{ROOT}?signature=second")[0] == packed


def test_what_is_no_document_is_left_to_the_parse_stage() -> None:
    assert gathered(b"<html></html>", {}) == (b"<html></html>", 1)
    files = {"https://api.example.com/v1/a.json": b"<html></html>"}
    assert gathered(document("a.json"), files)[1] == 2


@pytest.mark.parametrize(
    ("body", "files", "says"),
    [
        (document(*(f"{number}.json" for number in range(MOST_FILES))), lambda _: b"{}", "more than 199 other files"),
        (
            document("0.json"),
            lambda uri: b'{"items": {"$ref": "%d.json"}}' % (int(uri.rpartition("/")[2].removesuffix(".json")) + 1),
            "over more than 19 steps",
        ),
    ],
)
def test_files_without_end_come_to_an_end(body: bytes, files: Any, says: str) -> None:
    with pytest.raises(StageError) as refused:
        gathered(body, files)
    assert refused.value.reason == Reason.LIMIT_EXCEEDED
    assert says in refused.value.message


class Fetcher:
    """Notes what it is asked for, and answers with `ends`: an error, or a result."""

    def __init__(self, ends: FetchError | FetchResult) -> None:
        self.asked: list[FetchRequest] = []
        self._ends = ends

    async def fetch(self, request: FetchRequest) -> FetchResult:
        self.asked.append(request)
        if isinstance(self._ends, FetchError):
            raise self._ends
        return self._ends


SECRET = Credentials(bearer_token="t0ken", ca_pem=b"CA", client_cert_pem=b"C", client_key_pem=b"K", tls_from="pem")
REQUEST = FetchRequest(url=ROOT, timeout=60.0, credentials=SECRET, etag='"e"', last_modified="then")
ANSWER = FetchResult(
    not_modified=False,
    body=b"{}",
    status=200,
    etag=None,
    last_modified=None,
    validators_of=None,
    content_type=None,
    final_url=ROOT,
    same_origin=True,
    bytes_on_wire=2,
    seconds_left=40.0,
)
WANTED = Wanted("https://api.example.com/v1/a.json", "openapi.json#/components/schemas/S0")


@pytest.mark.parametrize(
    ("answer", "credentials"),
    [
        (ANSWER, SECRET),
        (
            replace(ANSWER, same_origin=False, final_url="https://api.example.com:8443/x"),
            Credentials(ca_pem=b"CA", tls_from="pem"),
        ),
        (replace(ANSWER, same_origin=False, final_url="https://cdn.example.com/x"), ANONYMOUS),
    ],
    ids=["where it was", "the same host", "elsewhere"],
)
def test_credentials_stay_with_their_origin(answer: FetchResult, credentials: Credentials) -> None:
    fetcher = Fetcher(replace(ANSWER, seconds_left=30.0))
    neighbours = Neighbours(cast(Any, fetcher), REQUEST, answer)
    for _ in range(2):
        assert asyncio.run(neighbours.get(WANTED, 100)) == b"{}"
    first, second = fetcher.asked
    assert (first.url, first.max_bytes, first.etag, first.last_modified) == (WANTED.uri, 100, None, None)
    assert first.credentials == credentials
    # What one has left is what the next one has.
    assert (first.timeout, second.timeout) == (40.0, 30.0)


@pytest.mark.parametrize(
    ("error", "left", "says"),
    [
        (
            FetchError(FetchReason.NOT_FOUND, "There is nothing.", retryable=False),
            40.0,
            "There is nothing. The $ref at openapi.json#/components/schemas/S0 leads there.",
        ),
        (
            FetchError(FetchReason.TIMEOUT, "was not fetched within 3 seconds"),
            3.0,
            f"{ROOT} and its files were not fetched within 60 seconds: set a longer timeout.",
        ),
        (
            FetchError(FetchReason.TOO_LARGE, "is larger than 5 bytes"),
            40.0,
            f"{ROOT} and its files are together larger than the operator's limit: ask for a higher one.",
        ),
    ],
)
def test_an_error_says_which_reference_leads_there(error: FetchError, left: float, says: str) -> None:
    neighbours = Neighbours(cast(Any, Fetcher(error)), REQUEST, replace(ANSWER, seconds_left=left))
    with pytest.raises(StageError) as failed:
        asyncio.run(neighbours.get(WANTED, 5))
    assert failed.value.reason == error.reason.value
    assert failed.value.retryable == error.retryable
    assert failed.value.message.startswith(says)
