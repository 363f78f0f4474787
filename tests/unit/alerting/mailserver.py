"""A real mail server on loopback: STARTTLS, TLS and logins by aiosmtpd."""

import asyncio
import email
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword


@dataclass
class MailServer:
    """What a server of aiosmtpd took, and what it says to DATA and RCPT when a test says so."""

    port: int = 0
    mails: list[Envelope] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    data_answer: str | None = None
    refused: frozenset[str] = frozenset()
    closes_at_data: bool = False
    hangs_at_quit: bool = False
    password: bytes = b"right"

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, server: Any, session: Any, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address in self.refused:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.mails.append(envelope)
        if self.closes_at_data:
            server.transport.abort()
        return self.data_answer or "250 2.0.0 queued as 4F2"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.hangs_at_quit:
            await asyncio.Event().wait()
        return "221 Bye"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password == self.password, handled=False)

    def latest(self) -> EmailMessage:
        return parsed(self.mails[-1])

    def mails_to(self, address: str) -> list[EmailMessage]:
        return [parsed(mail) for mail in self.mails if address in mail.rcpt_tos]


def parsed(mail: Envelope) -> EmailMessage:
    assert isinstance(mail.content, bytes)
    found = email.message_from_bytes(mail.content, policy=default)
    assert isinstance(found, EmailMessage)
    return found


@contextmanager
def mail_server(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, login: bool = False
) -> Iterator[MailServer]:
    found = MailServer()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        found.port = probe.getsockname()[1]
    controller = Controller(
        found,
        hostname="127.0.0.1",
        port=found.port,
        ssl_context=tls,
        tls_context=starttls,
        require_starttls=starttls is not None,
        auth_required=login,
        auth_require_tls=starttls is not None,
        authenticator=found.authenticate,
    )
    controller.start()
    try:
        yield found
    finally:
        controller.stop()
