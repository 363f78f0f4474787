"""Apprise: whatever else there is, by a URL of its own form (https://github.com/caronc/apprise).

Apprise opens its own connections, past the guard. So a scheme works only where the operator's administrator allowed
it, and who allows one lets the users of all namespaces reach what its services reach. It says of a sending only
whether it went well; when not, the outcome is unknown.
"""

import asyncio
import logging
import re

from specsync.alerting.channels.contract import Channel, ChannelBroken, Envelope, OutcomeUnknown, Outlet, Receipt
from specsync.alerting.outline import Outline, fitted, outline
from specsync.resources.reasons import Reason

MAX_TEXT = 3000  # characters; services with a smaller limit get less of it, by Apprise's own cut

_SCHEME = re.compile(r"([a-z0-9]{1,32})://")
_NOTIFY_TYPES = {"Critical": "failure", "Warning": "warning", "Info": "info", "Good": "success"}


class AppriseChannel(Channel[tuple[str, str, str]]):
    """A service that Apprise knows. What is sent: title, text, Apprise's type of notification."""

    def render(self, envelope: Envelope) -> tuple[str, str, str]:
        text = fitted(envelope, _text, lambda text: len(text) <= MAX_TEXT, chat=True)
        return defanged(outline(envelope).headline), text, _NOTIFY_TYPES[envelope.messages[0].level]

    async def send(self, payload: tuple[str, str, str], outlet: Outlet) -> Receipt:
        address = outlet.needed("address")
        found = _SCHEME.match(address.lower())
        scheme = found[1] if found else ""
        if scheme not in outlet.apprise_schemes:
            shown = f"{scheme}://" if scheme else "what the Secret holds under address"
            text = f"{shown} isn't allowed: ask the operator's administrator for --allow-apprise {scheme or 'SCHEME'}."
            raise ChannelBroken(Reason.CHANNEL_UNAVAILABLE, text)
        try:
            import apprise  # noqa: PLC0415 -- an optional part of the installation
        except ImportError:
            text = "Apprise isn't part of this installation: ask the operator's administrator for specsync[apprise]."
            raise ChannelBroken(Reason.CHANNEL_UNAVAILABLE, text) from None
        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its log holds addresses with their secrets
        service = apprise.Apprise.instantiate(address, suppress_exceptions=True)
        if service is None:
            text = f"Apprise can't read the {scheme}:// URL in the Secret {outlet.secret_name}: see its documentation."
            raise ChannelBroken(Reason.INVALID_CREDENTIALS, text)
        service.overflow_mode = apprise.OverflowMode.TRUNCATE  # one message, not many
        title, body, kind = payload
        try:
            async with asyncio.timeout(outlet.timeout):
                taken = await service.async_notify(
                    body=body, title=title, notify_type=apprise.NotifyType(kind), body_format=apprise.NotifyFormat.TEXT
                )
        except TimeoutError:
            text = f"{scheme}:// did not answer within {outlet.timeout:g} seconds."
            raise OutcomeUnknown(Reason.TIMEOUT, text) from None
        except Exception:
            taken = False
        if not taken:
            text = f"Apprise could not deliver by {scheme}://, and does not say why: check the URL and the service."
            raise OutcomeUnknown(Reason.SERVER_ERROR, text)
        return Receipt(detail=f"taken by {scheme}://")


def _text(outline: Outline) -> str:
    lines = []
    for section in outline.sections:
        if len(outline.sections) > 1:
            lines += ["", section.title]
        lines.append(section.origin)
        lines += [section.text] if section.text else []
        for entry in section.entries:
            lines.append(f"- {entry.mark}: {entry.line}" if entry.mark else f"- {entry.line}")
            lines += [f"    {detail}" for detail in entry.details]
        lines += [section.more_line] if section.more_line else []
        lines += [f"{label}: {command}" for label, command in section.commands]
        lines += [section.link] if section.link else []
    lines += [outline.more_line] if outline.more_line else []
    return "\n".join(defanged(line) for line in lines).strip()


def defanged(text: str) -> str:
    """Text that is no mention and no link, whichever of the services' markups it is read by."""
    text = re.sub(r"@(?=[\w&!#])", "@\u200b", text)  # @everyone, <@123>, <@&role>
    text = text.replace("](", "]\u200b(")  # [text](address)
    return re.sub(r"<(?=[!@#:a-zA-Z/])", "<\u200b", text)  # <!channel>, <b>
