"""What the API server makes of the kinds for alerts: what it refuses, with which words, and what can't be changed."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from devcluster import ControlPlane
from specsync.diffing.rules import RULES
from tests.conftest import PROJECT
from tests.integration.alerts import channel, preference
from tests.integration.user import User


@pytest.fixture(scope="module")
def writer(cluster: ControlPlane, crds: object) -> Iterator[User]:
    """One namespace for the whole module: all is tried with --dry-run, but for what is to be changed."""
    name = cluster.create_namespace()
    yield User(cluster, name)
    cluster.api.request("DELETE", f"/api/v1/namespaces/{name}")


DOCS = (
    "docs/alerts.md",
    "docs/channels.md",
    "manifests/samples/alertchannel.yaml",
    "manifests/samples/alertpreference.yaml",
)


@pytest.mark.parametrize("page", DOCS)
def test_what_is_documented_applies(cluster: ControlPlane, writer: User, page: str) -> None:
    text = (PROJECT / page).read_text()
    examples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if page.endswith(".md") else [text]
    assert examples
    for example in examples:
        assert "kind: Alert" in example
        words = ("apply", "--dry-run=server", "--validate=strict", "-f", "-")
        kinds = [kind for found in re.findall(r"kinds: \[(.*?)\]", example) for kind in found.split(", ")]
        assert set(kinds) <= {rule.kind for rule in RULES.values()}
        assert "created (server dry run)" in cluster.kubectl(*words, namespace=writer.namespace, stdin=example)


def of_type(type_: str, **spec: Any) -> dict[str, Any]:
    body = channel("it", **spec)
    body["spec"]["type"] = type_
    return {**body, "spec": {key: value for key, value in body["spec"].items() if value is not None}}


EMAIL = {"host": "smtp.example.com", "from": "specsync@example.com", "to": ["team@example.com"]}
QUIET = {"from": "22:00", "to": "07:00"}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown type": (of_type("Pigeon"), "Unsupported value"),
    "settings of another type": (of_type("Slack", webhook={}), "spec.webhook needs spec.type: Webhook"),
    "email without settings": (of_type("Email"), "an Email channel needs spec.email with host, from and to"),
    "email to a name": (
        of_type("Email", email={**EMAIL, "to": ["Team <team@example.com>"]}),
        "must be a mail address alone, in ASCII and without a name",
    ),
    "email beyond ASCII": (of_type("Email", email={**EMAIL, "from": "ä@example.com"}), "must be a mail address alone"),
    "email with dots in a row": (of_type("Email", email={**EMAIL, "to": ["a..b@c.de"]}), "must be a mail address"),
    "email to two in one": (
        of_type("Email", email={**EMAIL, "to": ["a@example.com,b@example.com"]}),
        "must be a mail address alone",
    ),
    "email with a line break": (
        of_type("Email", email={**EMAIL, "from": "a@example.com\nBcc: b@example.com"}),
        "must be a mail address alone",
    ),
    "email to nobody": (of_type("Email", email={**EMAIL, "to": []}), "should have at least 1 items"),
    "webhook without address": (
        of_type("Webhook", secretRef=None),
        "a Webhook channel needs spec.webhook.url, or a Secret with address in spec.secretRef",
    ),
    "slack without secret": (of_type("Slack", secretRef=None), "this type of channel needs spec.secretRef"),
    "url with user info": (
        of_type("Webhook", webhook={"url": "https://me:pw@hooks.example.com/"}),
        "put the whole URL into a Secret under address",
    ),
    "url of a file": (of_type("Webhook", webhook={"url": "file:///etc/passwd"}), "url must be http or https"),
    "no messages": (of_type("Webhook", rateLimit={"messagesPerMinute": 0}), "should be greater than or equal to 1"),
    "no channel": (preference("it"), "should have at least 1 items"),
    "channel in another namespace": (preference("it", "team-b/slack"), "must be the name of an AlertChannel"),
    "no dependencies": (
        preference("it", "team", dependencies={}),
        "dependencies needs names or selector; leave dependencies out for all of the namespace",
    ),
    "bad label": (
        preference("it", "team", dependencies={"selector": {"matchLabels": {"a b": "c"}}}),
        "must be a label's key, for example team or example.com/team",
    ),
    "In without values": (
        preference("it", "team", dependencies={"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}),
        "In and NotIn need values; Exists and DoesNotExist take none",
    ),
    "severity": (preference("it", "team", minSeverity="critical"), "Unsupported value"),
    "kind": (preference("it", "team", kinds=["Endpoint removed"]), "a kind is a word such as endpoint_removed"),
    "endpoint": (
        preference("it", "team", scope={"endpoints": ["v1/orders"]}),
        "an endpoint is a path, or a method and a path, for example GET /v1/orders or /v1/**",
    ),
    "time of day": (
        preference("it", "team", digest={"every": "Day", "at": "9am"}),
        "at must be a time of day as HH:MM",
    ),
    "time after midnight": (preference("it", "team", quietHours={**QUIET, "to": "24:00"}), "to must be a time of day"),
    "time zone by offset": (
        preference("it", "team", quietHours={**QUIET, "timeZone": "+02:00"}),
        "timeZone must be a name of the IANA list, for example Europe/Berlin",
    ),
    "time zone by abbreviation": (
        preference("it", "team", digest={"every": "Day", "timeZone": "CEST"}),
        "timeZone must be a name of the IANA list",
    ),
    "mute for good": (preference("it", "team", muteUntil="forever"), "muteUntil"),
    "reminder": (
        preference("it", "team", remindAfter="1 day"),
        "remindAfter must be a duration, for example 4h or 24h",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_with_what_to_write(writer: User, case: str) -> None:
    body, message = REFUSED[case]
    assert message in writer.refused("apply", "--dry-run=server", "-f", "-", stdin=body)


ACCEPTED = [
    of_type("Slack", slack={"channel": "#api-alerts"}),
    of_type("Teams"),
    of_type("Email", email=EMAIL, secretRef=None),
    of_type("PagerDuty", pagerDuty={"region": "EU"}),
    of_type("Webhook", webhook={"url": "https://hooks.example.com/a?b=c", "format": "CloudEvent"}, secretRef=None),
    of_type("Apprise"),
    preference(
        "it",
        "team",
        dependencies={"names": ["shop"], "selector": {"matchLabels": {"example.com/team": "a"}}},
        topics=["Change"],
        scope={"domains": ["orders"], "endpoints": ["GET /v1/orders/{id}", "/v2/**"]},
        minSeverity="risky",
        kinds=["endpoint_removed"],
        digest={"every": "Week", "at": "08:30", "day": "Friday", "timeZone": "America/Argentina/Buenos_Aires"},
        quietHours={**QUIET, "timeZone": "UTC", "days": ["Saturday", "Sunday"], "breaking": "Send"},
        muteUntil="2030-01-01T00:00:00Z",
        remindAfter="0s",
    ),
]


@pytest.mark.parametrize("body", ACCEPTED, ids=lambda body: body["spec"].get("type", body["kind"]))
def test_good_input_is_accepted(writer: User, body: dict[str, Any]) -> None:
    writer.kubectl("apply", "--dry-run=server", "-f", "-", stdin=body)


def test_a_delivery_is_immutable(writer: User) -> None:
    message = {"kind": "Test", "level": "Info", "title": "t", "namespace": "ns", "at": "2026-01-01T00:00:00Z"}
    body = {
        "apiVersion": "specsync.dev/v1alpha1",
        "kind": "AlertDelivery",
        "metadata": {"name": "one"},
        "spec": {"channel": "team", "message": message},
    }
    writer.kubectl("create", "-f", "-", stdin=body)
    patch = json.dumps({"spec": {"message": {"title": "another"}}})
    assert "an AlertDelivery's spec is immutable" in writer.refused("patch", "adel/one", "--type=merge", "-p", patch)
    assert writer.get("adel/one")["status"] == {"attempts": 0, "phase": "Pending"}


def test_all_of_a_change_set_but_its_triage_is_immutable(writer: User) -> None:
    pointer = {"snapshot": "s", "digest": "sha256:1"}
    body = {
        "apiVersion": "specsync.dev/v1alpha1",
        "kind": "ChangeSet",
        "metadata": {"name": "one"},
        "spec": {
            "dependency": "shop",
            "jobUID": "u",
            "from": pointer,
            "to": pointer,
            "summary": {"breaking": 1, "risky": 0, "safe": 0},
        },
    }
    writer.kubectl("create", "-f", "-", stdin=body)

    def patch(**spec: Any) -> tuple[str, ...]:
        return ("patch", "chg/one", "--type=merge", "-p", json.dumps({"spec": spec}))

    for change in ({"dependency": "x"}, {"summary": {"breaking": 0}}, {"truncated": True}, {"to": {"version": "9"}}):
        assert "a ChangeSet is immutable, but for acknowledged and resolved" in writer.refused(*patch(**change))
    assert "spec.acknowledged.by: Required value" in writer.refused(*patch(acknowledged={"note": "seen"}))
    writer.kubectl(*patch(acknowledged={"by": "ada", "at": "2026-01-01T00:00:00Z", "note": "seen"}))
    writer.kubectl(*patch(resolved={"by": "ada"}))
    writer.kubectl(*patch(acknowledged=None))
    assert writer.get("chg/one")["spec"]["resolved"] == {"by": "ada"}
