"""Each kind of channel as a user sets it up with kubectl, against a real server of its kind: one change, one message.

Attempts are an hour apart here: what arrives sooner after a failure was hurried by what the user did.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from slack_sdk.models.blocks import Block

from specsync.alerting.channels.registry import KINDS
from tests.integration.alerts import Shop, channel, deliveries, preference, secret, webhook
from tests.integration.crew import contract
from tests.integration.documents import Documents
from tests.integration.receivers import NEVER_SHOWN, status
from tests.integration.receivers import Receiver as SignedReceiver
from tests.integration.user import User
from tests.unit.alerting.mailserver import MailServer, mail_server
from tests.unit.alerting.receiver import Receiver, receiver
from tests.unit.alerting.test_pagerduty import EVENT
from tests.unit.fetching.conftest import Certificates, make_certificates
from tests.waiting import eventually

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
TOKEN = f"xoxb-{NEVER_SHOWN}"
REFUSED_KEY = b'{"status":"invalid event","message":"Event object is invalid","errors":["\'routing_key\' is wrong"]}'


@dataclass(frozen=True)
class Services:
    """The servers, and what each of them got under the paths of one namespace."""

    chat: Receiver  # Slack's webhooks, Teams' workflows
    bot: Receiver  # Slack's API
    pager: Receiver
    hooks: SignedReceiver
    mail: MailServer
    certificates: Certificates

    def bodies(self, server: Receiver, path: str) -> list[Any]:
        return [json.loads(taken.body) for taken in server.taken if taken.path.partition("?")[0] == path]

    def channels(self, space: str, *names: str, **more: Any) -> list[dict[str, Any]]:
        """AlertChannels with their Secrets, as the documentation has them; `more` is in each spec."""
        found = {name: [secret(name, **data), channel(name, **spec, **more)] for name, data, spec in self._all(space)}
        found["mail"][1]["spec"] |= {"certSecretRef": {"name": "mail-ca"}}
        found["mail"].append(secret("mail-ca", **{"ca.crt": self.certificates.pem("ca.crt").decode()}))
        found["hook"] = webhook(self.hooks, "hook", f"/{space}", **more)
        found["events"] = webhook(self.hooks, "events", f"/{space}/e", webhook={"format": "CloudEvent"}, **more)
        return [each for name in names for each in found[name]]

    def _all(self, space: str) -> Iterator[tuple[str, dict[str, str], dict[str, Any]]]:
        chat = f"http://127.0.0.1:{self.chat.port}/{space}"
        yield "slack", {"address": f"{chat}/slack?t={NEVER_SHOWN}\n"}, {"type": "Slack"}
        yield (
            "other",
            {"address": f"json://127.0.0.1:{self.chat.port}/{space}/other?:t={NEVER_SHOWN}"},
            {"type": "Apprise"},
        )
        yield "teams", {"address": f"{chat}/teams?sig={NEVER_SHOWN}"}, {"type": "Teams"}
        yield (
            "bot",
            {"bearerToken": TOKEN, "address": f"http://127.0.0.1:{self.bot.port}/{space}"},
            {"type": "Slack", "slack": {"channel": "#api-alerts"}},
        )
        settings = {"host": "127.0.0.1", "port": self.mail.port, "from": "specsync@example.com", "to": [mailbox(space)]}
        yield "mail", {"username": "specsync", "password": "right\n"}, {"type": "Email", "email": settings}
        events = {"url": f"http://127.0.0.1:{self.pager.port}/{space}"}
        yield "pager", {"routingKey": ROUTING_KEY}, {"type": "PagerDuty", "pagerDuty": events}


def mailbox(space: str) -> str:
    return f"{space}@example.com"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    certificates = make_certificates(tmp_path_factory.mktemp("mail"))
    with ExitStack() as servers:
        yield Services(
            chat=servers.enter_context(receiver(202, b"")),
            bot=servers.enter_context(receiver(200, b'{"ok":true,"ts":"1732.01"}')),
            pager=servers.enter_context(receiver(202, b'{"status":"success","message":"Event processed"}')),
            hooks=servers.enter_context(SignedReceiver()),
            mail=servers.enter_context(mail_server(starttls=certificates.server(), login=True)),
            certificates=certificates,
        )


@pytest.fixture(scope="module")
def operator_options(services: Services) -> tuple[str, ...]:
    ports = [each.port for each in (services.chat, services.bot, services.pager, services.mail)]
    allowed = [services.hooks.address, *(f"127.0.0.1:{port}" for port in ports)]
    hosts = [word for address in allowed for word in ("--allow-host", address)]
    return (*hosts, "--alert-retry", "1h", "--alert-window", "1s", "--allow-apprise", "json")


def test_one_change_is_one_message_in_each_kind_of_channel(
    user: User, documents: Documents, services: Services
) -> None:
    space = user.namespace
    names = ("slack", "teams", "bot", "mail", "pager", "hook", "events", "other")
    user.apply(*services.channels(space, *names, default=True))
    for name in names:
        user.kubectl("annotate", f"achan/{name}", "specsync.dev/testRequestedAt=1")

    def got() -> dict[str, list[Any]]:
        return {
            "slack": services.bodies(services.chat, f"/{space}/slack"),
            "teams": services.bodies(services.chat, f"/{space}/teams"),
            "bot": services.bodies(services.bot, f"/{space}"),
            "mail": services.mail.mails_to(mailbox(space)),
            "pager": services.bodies(services.pager, f"/{space}"),
            "hook": services.hooks.accepted(f"/{space}"),
            "events": services.hooks.accepted(f"/{space}/e"),
            "other": services.bodies(services.chat, f"/{space}/other"),
        }

    def numbers() -> dict[str, int]:
        return {name: len(found) for name, found in got().items()}

    eventually(numbers, until=dict.fromkeys(names, 1).__eq__, what="a test message in each")
    shop = Shop(user, documents, displayName="The <Shop> @channel")
    name = shop.breaks()
    eventually(numbers, until=dict.fromkeys(names, 2).__eq__, what="the change in each")
    latest = {channel: found[1] for channel, found in got().items()}

    title = "The <Shop> @channel: 1 breaking change (1 → 2)"
    for payload in (latest["slack"], latest["bot"]):
        for block in Block.parse_all(payload["blocks"]):
            block.validate_json()
        assert payload["blocks"][0]["text"]["text"] == f"🔴 {title}"
        assert payload["text"].startswith("🔴 The &lt;Shop&gt; @channel: 1 breaking change (1 → 2)")
    assert latest["bot"]["channel"] == "#api-alerts"
    assert services.bot.taken[-1].headers["authorization"] == f"Bearer {TOKEN}"
    card = json.dumps(latest["teams"], ensure_ascii=False)
    assert latest["teams"]["attachments"][0]["content"]["version"] == "1.5"
    assert title in card
    arrived = latest["events"]
    event = from_http_event(HTTPMessage(headers=arrived.headers, body=json.dumps(arrived.content).encode()))
    assert (event.get_type(), event.get_subject()) == ("dev.specsync.change", "shop")
    assert latest["other"]["title"] == title.replace("@", "@\u200b").replace("<", "<\u200b")
    assert latest["mail"]["Subject"].startswith(title)
    assert services.mail.logins == ["specsync"] * 2
    opened = latest["pager"]
    EVENT.validate(opened)
    assert (opened["event_action"], opened["payload"]["severity"]) == ("trigger", "critical")
    assert opened["routing_key"] == ROUTING_KEY
    assert opened["payload"]["summary"].startswith(title)
    for text in (json.dumps(latest["slack"]), card, str(latest["mail"]), json.dumps(opened)):
        assert f"kubectl specsync alerts ack {name} -n {space}" in text

    user.patch(f"chg/{name}", acknowledged={"by": "anna", "note": "known"})
    ended = dict.fromkeys(names, 2) | {"pager": 3, "hook": 3, "events": 3}
    eventually(numbers, until=ended.__eq__, what="the incident's end")
    closed = got()["pager"][2]
    EVENT.validate(closed)
    assert (closed["event_action"], closed["dedup_key"]) == ("resolve", opened["dedup_key"])
    for name in names:
        counted = 3 if KINDS[user.get(f"achan/{name}")["spec"]["type"]].resolves else 2
        eventually(lambda name=name: user.get(f"achan/{name}")["status"].get("sent"), until=counted.__eq__)  # type: ignore[misc]
        assert user.condition(f"achan/{name}", "Ready")["status"] == "True"
    everything = json.dumps([user.all(kind) for kind in ("achan", "adel", "events")])
    for value in (NEVER_SHOWN, ROUTING_KEY, "right"):
        assert value not in everything


def test_an_incident_ends_when_the_change_is_taken_back_and_when_the_api_is_well_again(
    user: User, documents: Documents, services: Services
) -> None:
    space = user.namespace
    user.apply(*services.channels(space, "pager", default=True))
    shop = Shop(user, documents, health={"degradedAfter": 1, "unhealthyAfter": 1, "pausedAfter": 9})

    def actions() -> list[tuple[str, str]]:
        events = services.bodies(services.pager, f"/{space}")
        return [(event["event_action"], event["dedup_key"]) for event in events]

    shop.breaks()
    [(opened, change)] = eventually(actions, what="the incident")
    back = shop.takes_back(version="2.1")
    eventually(actions, until=[(opened, change), ("resolve", change)].__eq__, what="its end")
    [reminder] = deliveries(user, kind="Reminder")
    assert (reminder["status"]["phase"], reminder["status"]["reason"]) == ("Suppressed", "TakenBack")
    assert back in reminder["status"]["message"]
    where = f"/{space}/shop"
    documents.publish(where, b"gone", status=404)
    user.sync("shop", "Failed")
    _, _, (_, health) = eventually(actions, until=lambda found: len(found) == 3, what="the failing health")
    documents.publish(where, contract("shop", version="2.1", fields=9))
    user.sync("shop", "Unchanged")
    eventually(lambda: actions()[2:], until=[("trigger", health), ("resolve", health)].__eq__, what="its end")
    assert change != health


def test_a_mended_secret_is_tried_at_once_by_a_test_and_what_waited_goes_too(
    user: User, documents: Documents, services: Services
) -> None:
    space = user.namespace
    services.hooks.always(f"/{space}", status(202))
    user.apply(*services.channels(space, "hook", default=True))
    broken = services.channels(space, "pager")
    broken[0] = secret("pager", wrong="key")
    user.apply(*broken, preference("on-call", "pager"))
    Shop(user, documents).breaks()
    told = eventually(lambda: services.hooks.told(f"/{space}"), what="the other channel to be told")
    assert told == ["Alert channel pager takes no messages"]
    ready = user.condition("achan/pager", "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "SecretKeyMissing")
    explained = user.specsync("alerts", "explain", "dep/shop")
    assert "Secret pager has no routingKey: add it." in explained

    user.apply(secret("pager", routingKey=ROUTING_KEY))
    user.kubectl("annotate", "achan/pager", "specsync.dev/testRequestedAt=now")
    events = eventually(
        lambda: services.bodies(services.pager, f"/{space}"), until=lambda found: len(found) == 2, what="both"
    )
    assert [event["payload"]["class"] for event in events] == ["specsync.test", "specsync.change"]
    eventually(lambda: services.hooks.told(f"/{space}")[1:], until=["Alert channel pager takes messages again"].__eq__)
    assert user.reasons("pager") == ["ChannelFailing", "ChannelRecovered"]


def test_a_channel_that_is_changed_is_tried_at_once(user: User, documents: Documents, services: Services) -> None:
    space = user.namespace
    user.apply(*services.channels(space, "pager", default=True))
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        closed = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
    user.patch("achan/pager", pagerDuty={"url": closed}, suspend=True)
    Shop(user, documents).breaks()
    [waiting] = deliveries(user, kind="Change")
    assert "AlertChannel pager is suspended" in user.specsync("alerts", "explain", "dep/shop")
    user.patch("achan/pager", suspend=False)
    name = waiting["metadata"]["name"]
    user.wait(f"alertdelivery/{name}", "jsonpath={.status.attempts}=1")
    eventually(lambda: user.get(f"adel/{name}")["status"]["nextAttemptAt"], what="the next attempt in an hour")
    user.patch("achan/pager", pagerDuty={"url": f"http://127.0.0.1:{services.pager.port}/{space}"})
    [event] = eventually(lambda: services.bodies(services.pager, f"/{space}"), what="the alert after all")
    assert event["event_action"] == "trigger"
