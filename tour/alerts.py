"""The tour's chapters on alerts: a channel, what it got, and the word that somebody knows."""

import time
from typing import Any

from tour.receiver import Receiver
from tour.shell import Shell, TourFailed
from tour.terminal import Terminal

CHANGE_SET = "kubernetes-api-orders-v2"
_ARRIVES_WITHIN = 30.0  # seconds


class Alerts:
    """The chapters, in their order; the receiver stands for a service such as Slack."""

    def __init__(self, receiver: Receiver, shell: Shell, terminal: Terminal) -> None:
        self._receiver = receiver
        self._shell = shell
        self._terminal = terminal

    def open_channel(self) -> None:
        self._terminal.chapter("Who is to be told")
        self._terminal.say(
            "An AlertChannel is a place that alerts go to: Slack, Teams, mail, PagerDuty, a webhook. Here it is a "
            "webhook of the tour's own, which checks the signature. A default channel gets what breaks; an "
            "AlertPreference would say more precisely who gets what, and when."
        )
        self._shell.show(f"kubectl create secret generic hook --from-literal=signingSecret={self._receiver.secret}")
        self._shell.show(_CHANNEL.format(url=self._receiver.url))
        self._shell.show("kubectl annotate achan on-call specsync.dev/testRequestedAt=now")
        self._wait(lambda: self._receiver.alerts, "the test message")
        self._receiver.alerts.clear()
        self._shell.show("kubectl wait --for=condition=Ready --timeout=30s achan/on-call", timeout=40)
        self._terminal.good("The channel took a test message.")

    def look(self) -> None:
        self._terminal.chapter("The alert")
        self._wait(lambda: self._receiver.alerts, "the alert")
        self._terminal.say("What the webhook got, a moment after the change was found; its signature was right:")
        alert = self._receiver.alerts[0]
        message = alert["data"]["messages"][0]
        self._terminal.verbatim(*_shown(alert["type"], message))
        self._wait(lambda: "Sent" in self._phases("Change"), "the word that the alert was sent")
        self._terminal.say(
            "Each alert is an object that is written before anything is sent, and says how it went. A reminder waits "
            "for a day, should nobody acknowledge the change:"
        )
        self._shell.show("kubectl get adel")
        self._shell.show(f"kubectl specsync alerts explain {CHANGE_SET}")
        self._expect(len(self._receiver.alerts) == 1, f"one alert, not {len(self._receiver.alerts)}")
        self._expect(self._receiver.refused == 0, "every alert is signed rightly")
        self._expect(message["change"]["changeSet"] == CHANGE_SET, "the alert is of the breaking change")
        self._expect("currency" in message["change"]["causes"][0]["summary"], "the alert says what broke")
        self._terminal.good("One breaking change, one alert.")

    def acknowledge(self) -> None:
        self._terminal.say("Who takes care of it says so; then nobody is reminded, nor alerted of the same again:")
        self._shell.show(f'kubectl specsync alerts ack {CHANGE_SET} --note "clients get a default"')
        self._shell.show(f"kubectl get chg {CHANGE_SET}")
        acknowledged = self._shell.read_json(f"kubectl get chg {CHANGE_SET} -o json")["spec"].get("acknowledged")
        self._expect(acknowledged is not None and acknowledged["by"] != "", "the change set says who knows of it")

    def _phases(self, kind: str) -> list[str]:
        deliveries = self._shell.read_json("kubectl get adel -o json")["items"]
        return [each["status"]["phase"] for each in deliveries if each["spec"]["message"]["kind"] == kind]

    def _wait(self, arrived: Any, what: str) -> None:
        end = time.monotonic() + _ARRIVES_WITHIN
        while not arrived():
            failure = self._shell.watch()
            if failure or time.monotonic() > end:
                raise TourFailed(failure or f"{what} did not arrive within {_ARRIVES_WITHIN:g} s")
            time.sleep(0.1)

    def _expect(self, true: bool, what: str) -> None:
        if not true:
            raise TourFailed(f"Expected: {what}")


def _shown(type_: str, message: dict[str, Any]) -> list[str]:
    """The alert for the screen: the first edit of it."""
    cause = message["change"]["causes"][0]
    lines = [type_, message["title"], f"  {cause['severity']}: {cause['summary']}"]
    if "witness" in cause:
        lines.append(f"  for example {cause['witness']['value']}: {cause['witness']['reason']}")
    return lines + [f"  {command['label']}: {command['command']}" for command in message["commands"]]


_CHANNEL = """\
kubectl apply -f - <<EOF
apiVersion: specsync.dev/v1alpha1
kind: AlertChannel
metadata:
  name: on-call
spec:
  type: Webhook
  default: true
  secretRef:
    name: hook
  webhook:
    url: {url}
EOF"""
