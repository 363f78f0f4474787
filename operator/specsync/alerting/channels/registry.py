"""The kinds of channels by the type in `AlertChannel.spec.type`. Each is imported only when it is used."""

import importlib
from dataclasses import dataclass
from typing import Any

from specsync.alerting.channels.contract import Channel, ChannelBroken
from specsync.resources.alertchannel import AlertChannelSpec, ChannelType
from specsync.resources.reasons import Reason


@dataclass(frozen=True, kw_only=True)
class ChannelKind:
    """A kind of channel, as routing and sending need to know it."""

    module: str  # below specsync.alerting.channels
    name: str  # of the class in it
    groups: bool = True  # several messages may go in one envelope; else each goes alone
    resolves: bool = False  # Resolve messages mean something to it


KINDS: dict[ChannelType, ChannelKind] = {
    "Slack": ChannelKind(module="slack", name="SlackChannel"),
    "Teams": ChannelKind(module="teams", name="TeamsChannel"),
    "Email": ChannelKind(module="email", name="EmailChannel"),
    "PagerDuty": ChannelKind(module="pagerduty", name="PagerDutyChannel", groups=False, resolves=True),
    "Webhook": ChannelKind(module="webhook", name="WebhookChannel", resolves=True),
    "Apprise": ChannelKind(module="apprise", name="AppriseChannel"),
}


def channel_for(spec: AlertChannelSpec) -> Channel[Any]:
    """The channel for an AlertChannel's spec. Raises ChannelBroken where this installation lacks what it needs."""
    kind = KINDS[spec.type]
    try:
        module = importlib.import_module(f"specsync.alerting.channels.{kind.module}")
    except ImportError:
        text = f"Channels of type {spec.type} aren't part of this installation: ask the operator's administrator."
        raise ChannelBroken(Reason.CHANNEL_UNAVAILABLE, text) from None
    made: Channel[Any] = getattr(module, kind.name)(spec)
    return made
