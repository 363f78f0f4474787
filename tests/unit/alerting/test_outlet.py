"""What a service's answer means, and that it shows no secret."""

import asyncio
import base64
from dataclasses import replace
from typing import cast

import pytest

from specsync.alerting.channels.contract import (
    ChannelBroken,
    DeliveryError,
    OutcomeUnknown,
    Outlet,
    Rejected,
    Retryable,
)
from specsync.fetching.guard import Guard
from specsync.fetching.post import Answer, Poster
from specsync.fetching.responses import Headers
from specsync.resources.reasons import Reason

SECRET = {
    "address": b"https://hooks.example.com/services/T0000/B1111/s3cretPart?sig=s3cretSig\n",
    "bearerToken": b"xoxb-s3cretToken",
    "short": b"ok",
    "username": b"specsync",
    "password": b"s3cret+pass/word",
}


def outlet(body: bytes = b"", status: int = 200, **headers: str) -> Outlet:
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    class Fixed:
        async def post(self, *_: object, **__: object) -> Answer:
            return Answer(status=status, headers=Headers(fields), body=body)

    return Outlet(channel="team", secret_name="hook", secret=SECRET, poster=cast(Poster, Fixed()), guard=Guard())


def answered(body: bytes, status: int, **headers: str) -> DeliveryError:
    sends = outlet(body, status, **headers)
    answer = asyncio.run(sends.post("https://hooks.example.com/", b"", {}))
    with pytest.raises(DeliveryError) as caught:
        sends.taken(answer, "It")
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (302, ChannelBroken, Reason.NOT_FOUND),
        (400, Rejected, Reason.HTTP_ERROR),
        (401, ChannelBroken, Reason.UNAUTHORIZED),
        (403, ChannelBroken, Reason.FORBIDDEN),
        (404, ChannelBroken, Reason.NOT_FOUND),
        (408, Retryable, Reason.SERVER_ERROR),
        (410, ChannelBroken, Reason.NOT_FOUND),
        (413, Rejected, Reason.HTTP_ERROR),
        (429, Retryable, Reason.RATE_LIMITED),
        (500, Retryable, Reason.SERVER_ERROR),
        (502, OutcomeUnknown, Reason.SERVER_ERROR),
        (504, OutcomeUnknown, Reason.SERVER_ERROR),
        (503, Retryable, Reason.SERVER_ERROR),
    ],
)
def test_a_status_means(status: int, kind: type[DeliveryError], reason: Reason) -> None:
    error = answered(b"why", status)
    assert (type(error), error.reason) == (kind, reason)


def test_the_service_may_say_when() -> None:
    assert answered(b"", 429, Retry_After="17").retry_after == 17
    assert answered(b"", 503, Retry_After="17").reason == Reason.RATE_LIMITED


@pytest.mark.parametrize("value", [b"s3cretPart", b"s3cretSig", b"xoxb-s3cretToken", SECRET["address"].strip()])
def test_what_an_answer_repeats_of_the_secret_is_left_out(value: bytes) -> None:
    error = answered(b'{"error": "token ' + value + b' is ok"}', 400)
    assert "s3cret" not in error.message
    assert "is ok" in error.message


@pytest.mark.parametrize(
    "value",
    [
        base64.b64encode(b"specsync:s3cret+pass/word"),  # as in the header Authorization
        rb"s3cret+pass\/word",  # as some write JSON
        b"a+b/c=in-the-query",
        b"in-the-spec",
    ],
)
def test_nor_in_another_spelling_nor_what_the_query_holds(value: bytes) -> None:
    sends = outlet(b"no: " + value + b"!", 400)
    sends = replace(sends, secret={**SECRET, "address": b"https://hooks.example.com/?sig=a%2Bb%2Fc%3Din-the-query"})
    answer = asyncio.run(sends.post("https://hooks.example.com/?token=in-the-spec", b"", {}))
    assert answer.shown() == "no: ...!"


def test_a_key_that_is_missing_or_no_text_names_the_secret() -> None:
    sends = outlet()
    assert sends.needed("bearerToken") == "xoxb-s3cretToken"
    with pytest.raises(ChannelBroken, match="Secret hook has no routingKey: add it"):
        sends.needed("routingKey")
    broken = Outlet(channel="team", secret_name="hook", secret={"a": b"\xff"}, poster=sends.poster, guard=sends.guard)
    with pytest.raises(ChannelBroken, match="empty or isn't UTF-8"):
        broken.text("a")
    alone = Outlet(channel="team", poster=sends.poster, guard=sends.guard)
    with pytest.raises(ChannelBroken, match="AlertChannel team names no Secret"):
        alone.needed("address")
