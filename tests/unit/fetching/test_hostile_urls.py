"""URLs and addresses that must never be fetched from, and plain ones that must be."""

import asyncio

import pytest

from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.guard import Guard
from tests.unit.fetching.urls import ANSWERS, HOSTILE, LEGITIMATE

PUBLIC_ANSWER = ["93.184.215.14"]


async def judge(url: str) -> list[str]:
    """The addresses that a fetch of ``url`` would connect to."""

    async def resolve(host: str, port: int) -> list[str]:
        return ANSWERS.get(host, PUBLIC_ANSWER)

    guard = Guard(resolve=resolve)
    target = guard.read_url(url)
    return [str(address) for address in await guard.addresses(target.host, target.port)]


@pytest.mark.parametrize("entry", HOSTILE)
def test_hostile_url_is_refused(entry: str) -> None:
    url = entry[2:].translate({ord("␍"): "\r", ord("␊"): "\n", ord("␉"): "\t"})
    with pytest.raises(FetchError) as refused:
        asyncio.run(judge(url))
    assert refused.value.reason in (FetchReason.INVALID_URL, FetchReason.ADDRESS_BLOCKED)
    assert not refused.value.retryable
    assert "user:password" not in refused.value.message


@pytest.mark.parametrize("url", LEGITIMATE)
def test_legitimate_url_is_allowed(url: str) -> None:
    assert asyncio.run(judge(url))


def test_the_tables_are_as_large_as_they_claim() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 150
    assert len(set(LEGITIMATE)) == len(LEGITIMATE) >= 30


@pytest.mark.parametrize(
    "url",
    [
        "http://google.com#@evil.com@127.0.0.1/../",  # T: other parsers see evil.com or 127.0.0.1
        "http://google.com?@127.0.0.1/",
        "http://google.com/@127.0.0.1:22/",
    ],
)
def test_what_looks_like_another_host_is_not_taken_for_one(url: str) -> None:
    assert Guard().read_url(url).host == "google.com"
