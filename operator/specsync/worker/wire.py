"""What a worker and its child process say to each other: MessagePack, each message led by its length."""

import struct
from typing import Any

import msgspec

HEADER = struct.Struct("<Q")  # length of the message in bytes


class Call(msgspec.Struct, tag="call"):
    """Run an operation. `parts` are contents by digest; `new_job` drops what was kept for the job before."""

    operation: str
    arguments: dict[str, str]
    parts: dict[str, bytes]
    new_job: bool


class Answer(msgspec.Struct, tag="answer"):
    """The operation's output, encoded."""

    output: bytes


class Missing(msgspec.Struct, tag="missing"):
    """The child lacks a content: call again with it."""

    digest: str


class Refused(msgspec.Struct, tag="refused"):
    """The document is at fault."""

    reason: str
    message: str


class Broken(msgspec.Struct, tag="broken"):
    """The operation failed otherwise; the text is for the log."""

    exhausted: bool
    text: str


Outcome = Answer | Missing | Refused | Broken


class Reply(msgspec.Struct):
    """How a call went, and the child's memory so far (peak resident set, bytes)."""

    outcome: Outcome
    peak_memory: int


_encoder = msgspec.msgpack.Encoder()
_call_decoder = msgspec.msgpack.Decoder(Call)
_reply_decoder = msgspec.msgpack.Decoder(Reply)


def encode(message: Call | Reply) -> bytes:
    body = _encoder.encode(message)
    return HEADER.pack(len(body)) + body


def encode_output(output: Any) -> bytes:
    return _encoder.encode(output)


def decode_call(body: bytes) -> Call:
    return _call_decoder.decode(body)


def decode_reply(body: bytes) -> Reply:
    return _reply_decoder.decode(body)
