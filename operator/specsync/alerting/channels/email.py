"""Email by SMTP: text and HTML of the same, to all addresses of the channel in one mail.

The connection goes to an address that the guard has judged, on a port for submitting mail (RFC 8314: 465 with TLS, 587
with STARTTLS). Message-ID is that of the envelope, so a mail server or reader that sees it twice can tell; a change,
its reminder and its end refer to the same thread (RFC 5322, 3.6.4).
"""

import asyncio
import contextlib
import hashlib
import ssl
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

import aiosmtplib

from specsync.alerting.channels.contract import (
    Channel,
    ChannelBroken,
    DeliveryError,
    Envelope,
    OutcomeUnknown,
    Outlet,
    Receipt,
    Rejected,
    Retryable,
)
from specsync.alerting.channels.email_html import html_page
from specsync.alerting.outline import Outline, outline
from specsync.diffing.plain import plain
from specsync.fetching.errors import FetchError
from specsync.fetching.guard import MAIL_PORTS
from specsync.fetching.tls import tls_context
from specsync.resources.alertchannel import AlertChannelSpec, EmailSettings
from specsync.resources.reasons import Reason

MAX_SUBJECT = 200
_WIDTH = 76
_QUIT_SECONDS = 2.0


@dataclass(frozen=True)
class Mail:
    """What is sent: sender and recipients of the SMTP envelope, and the mail itself."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


class EmailChannel(Channel[Mail]):
    """One or more mailboxes."""

    def __init__(self, spec: AlertChannelSpec) -> None:
        super().__init__(spec)
        assert spec.email is not None  # the CRD's rule: an Email channel needs spec.email
        self._settings: EmailSettings = spec.email

    def render(self, envelope: Envelope) -> Mail:
        found = outline(envelope)
        first = envelope.messages[0]
        domain = self._settings.from_.rpartition("@")[2]
        mail = EmailMessage(policy=SMTP_POLICY)
        mail["From"] = Address("specsync", addr_spec=self._settings.from_)
        mail["To"] = ", ".join(self._settings.to)
        mail["Subject"] = _subject(found.summary)
        mail["Date"] = format_datetime(max(message.at for message in envelope.messages))
        mail["Message-ID"] = f"<{_id(envelope.id)}@{domain}>"
        if envelope.mode == "Single" and first.incident:
            # The thread's first mail is of another envelope: a name that all of its mails refer to holds them together.
            mail["References"] = f"<{_id(first.incident)}.thread@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notices, please
        mail["X-Specsync-Kind"] = envelope.mode if envelope.mode != "Single" else first.kind
        mail.set_content(text_page(found), cte="quoted-printable")
        mail.add_alternative(html_page(found), subtype="html", cte="quoted-printable")
        # Boundaries are random otherwise; a second attempt sends what the first one sent.
        mail.set_boundary(f"specsync-{_id(envelope.id)}")
        return Mail(self._settings.from_, tuple(self._settings.to), mail.as_bytes())

    async def send(self, payload: Mail, outlet: Outlet) -> Receipt:
        host, port = self._settings.host, self._settings.port
        session = _Session(self._settings, outlet)
        try:
            async with asyncio.timeout(outlet.timeout):
                receipt = await session.deliver(payload)
            await session.quit()  # not within the time: who has taken the mail needn't say goodbye
        except TimeoutError:
            text = f"The mail server {host}:{port} did not answer within {outlet.timeout:g} seconds."
            raise session.lost(Reason.TIMEOUT, text) from None
        except FetchError as error:
            kind = Retryable if error.retryable else ChannelBroken
            raise kind(Reason(error.reason.value), error.message) from None
        except aiosmtplib.SMTPDataError as error:
            raise _refused(error.code, error.message, outlet, f"{host}:{port}", content=True) from None
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error.code, error.message, outlet, f"{host}:{port}") from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            worst = max(refusal.code for refusal in error.recipients)
            said = error.recipients[0].message
            raise _refused(worst, f"all recipients: {said}", outlet, f"{host}:{port}") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            if _is_of_tls(error):
                text = (
                    f"No trusted connection to the mail server {host}:{port}: put its CA as ca.crt into certSecretRef, "
                    "or check spec.email.security."
                )
                raise ChannelBroken(Reason.TLS_FAILURE, text) from None
            if type(error) is aiosmtplib.SMTPException:  # the server lacks what is asked for: STARTTLS, or logins
                text = f"The mail server {host}:{port} can't do it ({plain(str(error))}): check spec.email.security."
                raise ChannelBroken(Reason.CONNECTION_FAILED, text) from None
            text = f"The connection to the mail server {host}:{port} broke."
            raise session.lost(Reason.CONNECTION_FAILED, text) from None
        finally:
            session.close()
        return receipt


class _Session:
    """One mail's way to the server; knows whether the server may have it already."""

    def __init__(self, settings: EmailSettings, outlet: Outlet) -> None:
        self._settings = settings
        self._outlet = outlet
        self._client: aiosmtplib.SMTP | None = None
        self._refusals: list[aiosmtplib.SMTPRecipientRefused] = []
        self._sent = False

    async def deliver(self, mail: Mail) -> Receipt:
        client = await self._connect()
        await client.mail(mail.sender)
        for recipient in mail.recipients:
            await self._offer(client, recipient)
        refused = len(self._refusals)
        if refused == len(mail.recipients):
            raise aiosmtplib.SMTPRecipientsRefused(self._refusals)
        self._sent = True
        answer = await client.data(mail.content)
        detail = f"{answer.code} {self._outlet.without_secrets(plain(answer.message))}"[:400]
        if refused:
            detail += f"; refused for {refused} of {len(mail.recipients)} recipients"
        return Receipt(detail=detail)

    async def quit(self) -> None:
        """Ends the conversation, if the server is quick enough about it."""
        with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            async with asyncio.timeout(_QUIT_SECONDS):
                if self._client is not None:
                    await self._client.quit()

    def lost(self, reason: Reason, text: str) -> DeliveryError:
        """The error for a connection that broke: surely not delivered, or perhaps."""
        return OutcomeUnknown(reason, text) if self._sent else Retryable(reason, text)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    async def _connect(self) -> aiosmtplib.SMTP:
        settings, outlet = self._settings, self._outlet
        username = outlet.text("username")
        if username is not None and settings.security == "None":
            text = (
                f"The Secret {outlet.secret_name} has a login, which never goes in the clear: set spec.email.security."
            )
            raise ChannelBroken(Reason.INVALID_CREDENTIALS, text)
        context = tls_context(
            outlet.trust.ca_pem,
            public_roots=outlet.trust.ca_pem is None,
            client_cert=outlet.trust.client_certificate(),
            shown=outlet.trust.tls_from,
        )
        guard = outlet.guard.on_ports(MAIL_PORTS)
        connection = await guard.connect(settings.host, settings.port, outlet.timeout)
        self._client = aiosmtplib.SMTP(
            hostname=settings.host,
            sock=connection,
            use_tls=settings.security == "TLS",
            start_tls=settings.security == "StartTLS",
            tls_context=context if settings.security != "None" else None,
            local_hostname=settings.from_.rpartition("@")[2],
            timeout=outlet.timeout,
        )
        await self._client.connect()
        if username is not None:
            await self._client.login(username, outlet.needed("password"))
        return self._client

    async def _offer(self, client: aiosmtplib.SMTP, recipient: str) -> None:
        try:
            await client.rcpt(recipient)
        except aiosmtplib.SMTPRecipientRefused as refusal:
            self._refusals.append(refusal)


def _is_of_tls(error: BaseException | None) -> bool:
    """Whether the certificate isn't trusted, or TLS isn't spoken; by TLS from the first byte, aiosmtplib wraps that."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _refused(code: int, message: str, outlet: Outlet, server: str, *, content: bool = False) -> DeliveryError:
    """What an answer means: 4xx may pass, 5xx won't (RFC 5321, 4.2.1). `content`: the server has read the mail."""
    said = f"{code} {outlet.without_secrets(plain(message))}"[:300]
    if code in (530, 534, 535, 538):
        secret = outlet.secret_name or "of secretRef"
        text = f"The mail server {server} doesn't accept the login ({said}): check the Secret {secret}."
        return ChannelBroken(Reason.UNAUTHORIZED, text)
    if 400 <= code < 500:
        return Retryable(Reason.SERVER_ERROR, f"The mail server {server} asks to try later ({said}).")
    # Who has read the mail and speaks of policy (RFC 3463, 3.8) means the sender's rights more often than the mail.
    if code in (550, 551, 553, 521, 556) and (not content or message.startswith("5.7.")):
        text = f"The mail server {server} refuses sender or recipients ({said}): check spec.email.from and to."
        return ChannelBroken(Reason.FORBIDDEN, text)
    return Rejected(Reason.HTTP_ERROR, f"The mail server {server} refuses the mail ({said}).")


def text_page(found: Outline) -> str:
    """The mail as plain text; long lines are wrapped by the encoding, not by us, so that commands stay whole."""
    lines: list[str] = []
    for section in found.sections:
        if len(found.sections) > 1:
            lines += ["-" * _WIDTH, ""]
        lines += [section.title, section.origin, ""]
        if section.text:
            lines += [section.text, ""]
        mark = None
        for entry in section.entries:
            if entry.mark != mark:
                lines += ["", entry.mark.upper()] if entry.mark else []
                mark = entry.mark
            lines.append(f"* {entry.line}")
            lines += [f"    {detail}" for detail in entry.details]
        lines += [section.more_line] if section.more_line else []
        lines.append("")
        lines += [f"{label}: {command}" for label, command in section.commands]
        lines += [f"Open in the dashboard: {section.link}"] if section.link else []
        lines.append("")
    lines += [found.more_line] if found.more_line else []
    return "\n".join(lines)


def _subject(text: str) -> str:
    return text if len(text) <= MAX_SUBJECT else text[: MAX_SUBJECT - 1] + "…"


def _id(text: str) -> str:
    """A name as the left side of a Message-ID: what it may hold is little, so of its digest."""
    return hashlib.sha256(text.encode()).hexdigest()[:40]
