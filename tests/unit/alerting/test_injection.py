"""Hostile texts in every place that a document's author fills, through every channel: they stay texts."""

import email
import json
import re
from email.policy import default
from html.parser import HTMLParser
from typing import Any

import pytest

from specsync.alerting.channels.apprise import AppriseChannel
from specsync.alerting.channels.email import EmailChannel
from specsync.alerting.channels.pagerduty import PagerDutyChannel
from specsync.alerting.channels.slack import SlackChannel
from specsync.alerting.channels.teams import TeamsChannel
from specsync.alerting.channels.webhook import WebhookChannel
from specsync.resources.alertchannel import AlertChannelSpec, EmailSettings
from tests.unit.alerting.envelopes import change, group, single

CORPUS = [
    "<!channel> <!here> <!everyone> <@U123> <#C123>",
    "<https://evil.example.com|your bank>",
    "@channel @everyone @here",
    "*bold* _it_ ~gone~ `code` ```block``` :rotating_light:",
    "[click me](https://evil.example.com) ![x](https://evil.example.com/pixel.png)",
    "<at>everyone</at>",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    '"><a href="javascript:alert(1)">x</a>',
    "&lt;b&gt; &amp;amp; &#x3c;script&#x3e;",
    "Shop\r\nBcc: victim@example.com\r\n\r\nbody",
    "Shop\nSubject: another",
    "=?utf-8?q?Bcc=3A_victim=40example=2Ecom?=",
    "\x1b[2J\x1b[31mred\x1b]8;;https://evil.example.com\x07link\x1b]8;;\x07",
    "abc\u202egnp.exe \u2066hidden\u2069 \u200frtl",
    "\u2028line\u2029paragraph\u0085next\x00nul",
    "${jndi:ldap://evil} {{7*7}} %s %n <%= 1 %>",
    ".\r\n.\r\nQUIT",
    "x" * 20_000,
]
SPEC = AlertChannelSpec(type="Slack")
MAIL = EmailChannel(
    AlertChannelSpec(
        type="Email", email=EmailSettings(host="mail", from_="specsync@example.com", to=["team@example.com"])
    )
)
ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\u200e\u200f]")


def envelopes(text: str) -> list[Any]:
    return [single(change(3, text)), group(change(3, text), change(2, text))]


def strings(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    children = [*node.keys(), *node.values()] if isinstance(node, dict) else node if isinstance(node, list) else []
    return [text for child in children for text in strings(child)]


def objects(node: Any) -> list[dict[str, Any]]:
    own = [node] if isinstance(node, dict) else []
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return own + [found for child in children for found in objects(child)]


@pytest.mark.parametrize("text", CORPUS, ids=[repr(text[:24]) for text in CORPUS])
def test_slack(text: str) -> None:
    for envelope in envelopes(text):
        payload = SlackChannel(SPEC).render(envelope)
        assert not re.search(r"[<>]", payload["text"])
        assert payload["parse"] == "none"
        assert payload["link_names"] is False
        for found in objects(payload["blocks"]):
            # Nothing but literal text, and one kind of link, whose address is the operator's own.
            assert found.get("type") in {
                *("header", "plain_text", "rich_text", "rich_text_section", "rich_text_list"),
                *("rich_text_preformatted", "text", "link", None),
            }
            if found.get("type") == "link":
                assert found["url"].startswith("https://specsync.example.com/")
                assert found["text"] == "Open in the dashboard"
            if found.get("type") == "plain_text":
                assert found["emoji"] is False
        assert not any(ODD.search(found) for found in strings(payload))


@pytest.mark.parametrize("text", CORPUS, ids=[repr(text[:24]) for text in CORPUS])
def test_teams(text: str) -> None:
    for envelope in envelopes(text):
        card = json.loads(TeamsChannel(SPEC).render(envelope))["attachments"][0]["content"]
        for found in objects(card["body"]):
            if "text" in found:
                assert found["type"] == "TextRun"  # reads no Markdown; a TextBlock would
        assert "entities" not in card["msteams"]  # without them nobody is mentioned
        for action in card.get("actions", []):
            assert action["url"].startswith("https://specsync.example.com/")
        assert not any(ODD.search(found) for found in strings(card))


class _Reader(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("text", CORPUS, ids=[repr(text[:24]) for text in CORPUS])
def test_email(text: str) -> None:
    for envelope in envelopes(text):
        content = MAIL.render(envelope).content
        mail: Any = email.message_from_bytes(content, policy=default)
        assert sorted(mail.keys()) == sorted(
            {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Specsync-Kind", "MIME-Version"}
            | {"Content-Type"}
            | ({"References"} if envelope.mode == "Single" else set())
        )
        assert mail["To"] == "team@example.com"
        assert not ODD.search(str(mail["Subject"]))
        assert not ODD.search(mail.get_body(("plain",)).get_content().replace("\r\n", "\n"))
        html = mail.get_body(("html",)).get_content()
        reader = _Reader()
        reader.feed(html)
        allowed = {"html", "head", "meta", "title", "body", "div", "h1", "p", "ul", "li", "span", "br", "strong"}
        assert {tag for tag, _ in reader.tags} <= allowed | {"code", "a", "style"}
        # The one style sheet is ours; what a document says stands after it.
        assert html.count("<style>") == 1
        assert text not in html.partition("</style>")[0].partition("<style>")[2]
        for tag, attributes in reader.tags:
            assert not any(name.startswith("on") or name == "src" for name in attributes)
            if tag == "a":
                assert str(attributes["href"]).startswith("https://specsync.example.com/")
        assert max(map(len, content.split(b"\r\n"))) <= 998  # RFC 5322, 2.1.1


@pytest.mark.parametrize("text", CORPUS, ids=[repr(text[:24]) for text in CORPUS])
def test_pagerduty(text: str) -> None:
    payload = PagerDutyChannel(SPEC).render(single(change(3, text)))
    assert len(payload["payload"]["summary"]) <= 1024
    assert all(link["href"].startswith("https://specsync.example.com/") for link in payload["links"])
    assert not any(ODD.search(found) for found in strings(payload))


@pytest.mark.parametrize("text", CORPUS, ids=[repr(text[:24]) for text in CORPUS])
def test_apprise(text: str) -> None:
    for envelope in envelopes(text):
        title, body, _ = AppriseChannel(SPEC).render(envelope)
        for found in (title, body):
            assert not re.search(r"@(everyone|here|channel)|<[!@#a-zA-Z/]|\]\(", found)
            assert not ODD.search(found)


@pytest.mark.parametrize("text", CORPUS, ids=[repr(text[:24]) for text in CORPUS])
def test_webhook(text: str) -> None:
    """JSON holds any text; a receiver gets what the document says, as data."""
    payload = WebhookChannel(SPEC).render(single(change(3, text)))
    found = json.loads(payload.body)["data"]["messages"][0]
    assert found["change"]["causes"][0]["summary"] == text
