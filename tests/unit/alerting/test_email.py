"""Email, by a real SMTP server with STARTTLS, TLS and login."""

import asyncio
import email
import gc
import socket
from dataclasses import replace
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from specsync.alerting.channels.contract import (
    ChannelBroken,
    DeliveryError,
    OutcomeUnknown,
    Outlet,
    Receipt,
    Rejected,
    Retryable,
)
from specsync.alerting.channels.email import EmailChannel
from specsync.alerting.channels.email_html import html_page
from specsync.alerting.outline import outline
from specsync.fetching.request import Credentials
from specsync.resources.alertchannel import AlertChannelSpec, EmailSettings
from tests.unit.alerting.envelopes import change, group, resolve, single, sunset
from tests.unit.alerting.mailserver import mail_server
from tests.unit.alerting.receiver import outlet
from tests.unit.fetching.conftest import Certificates, make_certificates

# aiosmtpd leaves the connection of a client that doesn't trust its certificate to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("mail"))


def channel(port: int, security: str = "StartTLS", *to: str) -> EmailChannel:
    settings = EmailSettings(
        host="127.0.0.1",
        port=port,
        security=security,  # type: ignore[arg-type]
        from_="specsync@example.com",
        to=list(to) or ["api-team@example.com", "anna@example.com"],
    )
    return EmailChannel(AlertChannelSpec(type="Email", email=settings))


def trusting(certificates: Certificates, *ports: int, timeout: float = 10.0, **secret: str) -> Outlet:
    return replace(outlet(*ports, timeout=timeout, **secret), trust=Credentials(ca_pem=certificates.pem("ca.crt")))


def deliver(sender: EmailChannel, out: Outlet, envelope: Any = None) -> Receipt:
    async def story() -> Receipt:
        try:
            return await sender.send(sender.render(envelope or single(change())), out)
        finally:
            for _ in range(3):  # the loop lives on, as a worker's does, and closes what was left
                await asyncio.sleep(0)

    try:
        return asyncio.run(story())
    finally:
        gc.collect()  # what aiosmtpd left, before another module's tests are blamed for it


def test_a_mail_by_starttls_with_login(certificates: Certificates) -> None:
    with mail_server(starttls=certificates.server(), login=True) as server:
        out = trusting(certificates, server.port, username="specsync", password="right\n")
        receipt = deliver(channel(server.port), out)
    assert receipt.detail == "250 2.0.0 queued as 4F2"
    assert server.logins == ["specsync"]
    assert server.mails[0].rcpt_tos == ["api-team@example.com", "anna@example.com"]
    mail = server.latest()
    assert mail["Subject"] == (
        "Shop: 2 breaking changes (1.2 → 1.3) – schema Order0, currency: required property removed (and 1 more)"
    )
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime.isoformat() == "2026-11-24T12:00:00+00:00"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    for part in (text, html):
        content = part.get_content()
        assert "schema Order1, currency: required property removed" in content
        assert "kubectl specsync alerts ack shop-1795515744 -n team-a" in content


def test_a_page_has_a_dark_scheme_and_a_preview_that_is_not_the_subject() -> None:
    page = html_page(outline(single(change())))
    assert "@media (prefers-color-scheme:dark)" in page
    hidden = page.partition('<div style="display:none')[2].partition("</div>")[0]
    assert hidden.endswith(
        "schema Order0, currency: required property removed · schema Order1, currency: required property removed"
    )


def test_a_mail_by_tls_from_the_first_byte(certificates: Certificates) -> None:
    with mail_server(tls=certificates.server()) as server:
        deliver(channel(server.port, "TLS"), trusting(certificates, server.port))
    assert len(server.mails) == 1


@pytest.mark.parametrize("security", ["StartTLS", "TLS"])
def test_a_server_without_a_trusted_certificate_gets_nothing(certificates: Certificates, security: str) -> None:
    context = certificates.server()
    how = mail_server(starttls=context) if security == "StartTLS" else mail_server(tls=context)
    with how as server, pytest.raises(ChannelBroken, match="certSecretRef"):
        deliver(channel(server.port, security), outlet(server.port))
    assert server.mails == []


def test_a_server_without_starttls_gets_nothing() -> None:
    with mail_server() as server, pytest.raises(ChannelBroken, match="STARTTLS"):
        deliver(channel(server.port), outlet(server.port))
    assert server.mails == []


def test_a_login_never_goes_in_the_clear() -> None:
    with mail_server() as server, pytest.raises(ChannelBroken, match="in the clear"):
        deliver(channel(server.port, "None"), outlet(server.port, username="specsync", password="right"))
    assert server.logins == []


def test_a_wrong_password_is_the_channels_fault_and_isnt_shown(certificates: Certificates) -> None:
    with mail_server(starttls=certificates.server(), login=True) as server:
        out = trusting(certificates, server.port, username="specsync", password="wr0ng-s3cret")
        with pytest.raises(ChannelBroken) as found:
            deliver(channel(server.port), out)
    assert "Secret hook" in found.value.message
    assert "s3cret" not in found.value.message


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("451 4.3.0 try later", Retryable),
        ("452 4.2.2 mailbox full", Retryable),
        ("554 5.7.1 looks like spam", Rejected),
        ("550 5.7.1 sender not allowed", ChannelBroken),
        ("550 5.6.0 a header that we don't like", Rejected),
        ("550 spam", Rejected),
    ],
)
def test_each_answer_has_its_meaning(answer: str, expected: type[DeliveryError]) -> None:
    with mail_server() as server:
        server.data_answer = answer
        with pytest.raises(expected, match=answer[:3]):
            deliver(channel(server.port, "None"), outlet(server.port))


def test_a_connection_that_breaks_after_the_mail_leaves_it_open_whether_it_arrived() -> None:
    with mail_server() as server:
        server.closes_at_data = True
        with pytest.raises(OutcomeUnknown):
            deliver(channel(server.port, "None"), outlet(server.port))


def test_a_server_that_takes_the_mail_and_never_says_goodbye_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would get it again and again."""
    monkeypatch.setattr("specsync.alerting.channels.email._QUIT_SECONDS", 0.1)
    with mail_server() as server:
        server.hangs_at_quit = True
        assert deliver(channel(server.port, "None"), outlet(server.port, timeout=1.0)).detail.startswith("250 ")
    assert len(server.mails) == 1


def test_a_server_that_repeats_the_login_does_not_make_it_known(certificates: Certificates) -> None:
    with mail_server(starttls=certificates.server(), login=True) as server:
        server.data_answer = "554 no: s3cret-pass, AHNwZWNzeW5jAHMzY3JldC1wYXNz, czNjcmV0LXBhc3M="
        server.password = b"s3cret-pass"
        out = trusting(certificates, server.port, username="specsync", password="s3cret-pass")
        with pytest.raises(Rejected) as found:
            deliver(channel(server.port), out)
    assert "(554 no: ..., ..., ...)" in found.value.message


def test_no_server_is_surely_no_mail() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(Retryable):
        deliver(channel(port, "None"), outlet(port))


def test_a_server_that_hangs_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with pytest.raises(Retryable, match="did not answer"):
            deliver(channel(port, "None"), outlet(port, timeout=0.3))


def test_one_wrong_mailbox_does_not_keep_the_mail_from_the_others() -> None:
    with mail_server() as server:
        server.refused = frozenset({"anna@example.com"})
        receipt = deliver(channel(server.port, "None"), outlet(server.port))
        assert "refused for 1 of 2 recipients" in receipt.detail
        server.refused = frozenset({"anna@example.com", "api-team@example.com"})
        with pytest.raises(ChannelBroken, match="no such mailbox"):
            deliver(channel(server.port, "None"), outlet(server.port))
    assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 587), ("localhost", 587), ("169.254.169.254", 25), ("smtp.example.com", 25)]
)
def test_the_guard_judges_mail_servers_too(host: str, port: int) -> None:
    settings = EmailSettings(host=host, port=port, security="None", from_="a@example.com", to=["b@example.com"])
    sender = EmailChannel(AlertChannelSpec(type="Email", email=settings))
    with pytest.raises(ChannelBroken, match="not fetched from"):
        deliver(sender, outlet())


def test_the_same_envelope_is_the_same_mail() -> None:
    sender = channel(2525)
    assert sender.render(single(change())) == sender.render(single(change()))
    assert sender.render(single(change(), "another")) != sender.render(single(change()))


def test_a_change_and_its_end_are_one_thread() -> None:
    sender = channel(2525)
    mails = [email.message_from_bytes(sender.render(single(m, m.kind)).content) for m in (change(), resolve())]
    assert mails[0]["References"] == mails[1]["References"]
    assert mails[0]["Message-ID"] != mails[1]["Message-ID"]


def test_a_storm_and_a_sunset_are_complete(tmp_path: Path) -> None:
    storm = channel(2525).render(group(*(change(50) for _ in range(10))))
    text = email.message_from_bytes(storm.content, policy=default).get_body(("plain",))  # type: ignore[attr-defined]
    assert text.get_content().count("required property removed") == 500
    ends = channel(2525).render(single(sunset()))
    assert b"GET /orders ends on 2027-01-01" in ends.content
