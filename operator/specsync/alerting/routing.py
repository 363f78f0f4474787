"""Routing: who is told of a change set, when, and why or why not. Pure: the clock is an argument.

One change set is one message per channel, however many preferences ask for it: what is due at the same time is merged.
A channel that is marked as default gets what no preference of the Dependency asks for, as far as it is bad.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from msgspec import structs

from specsync.alerting.schedule import after_quiet, next_digest, zone_of
from specsync.alerting.selecting import Causes, from_bits, selects, to_bits
from specsync.alerting.sunsets import sunset_causes
from specsync.diffing.rules import RULES
from specsync.resources import AlertChannel, AlertPreference, Dependency
from specsync.resources.alertpreference import AlertPreferenceSpec, Topic
from specsync.resources.duration import compact, seconds
from specsync.resources.syncjob import AlertRoute

DEFAULT_REMIND_AFTER = "24h"  # where no preference says

ChangeTopic = Literal["Change", "Deprecation"]
_CHANGE_TOPICS: tuple[ChangeTopic, ...] = ("Change", "Deprecation")

_NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)

BY_DEFAULT = "it is a default channel, and no AlertPreference is about this Dependency"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What becomes of a change set for one channel by one preference (empty: as a default channel), in a sentence."""

    channel: str
    preference: str
    topic: Topic
    why: str
    route: AlertRoute | None = None


@dataclass(frozen=True)
class Situation:
    """What routing looks at, all of one namespace. `acknowledged`: fingerprints of causes that somebody knows of."""

    dependency: Dependency
    channels: Sequence[AlertChannel]
    preferences: Sequence[AlertPreference]
    acknowledged: frozenset[str]
    at: dt.datetime


def route_change(causes: Causes, situation: Situation) -> list[Verdict]:
    """A verdict for each channel and preference that could be about the change set, by channel. See `routes`."""
    if situation.dependency.spec.alerts == "Disabled":
        text = f"Dependency {situation.dependency.metadata.name} has spec.alerts: Disabled"
        return [
            Verdict(channel=channel.metadata.name, preference="", topic="Change", why=text)
            for channel in _by_name(situation.channels)
        ]
    return [
        verdict
        for name, channel, preferences in _targets(situation)
        for verdict in _for_channel(causes, situation, name, channel, preferences)
    ]


def routes(verdicts: Iterable[Verdict]) -> list[AlertRoute]:
    """What is to be sent, by channel: one route for all that a channel gets of a topic at the same time.

    What it gets sooner by another preference, all of it, doesn't come again when quiet hours are over.
    """
    found = [verdict.route for verdict in verdicts if verdict.route is not None]
    merged: dict[tuple[object, ...], AlertRoute] = {}
    for route in sorted(found, key=_when):
        kind = (route.channel, route.topic, route.digest and route.preference)
        key = next(
            (
                k
                for k, sooner in merged.items()
                if k[:3] == kind and from_bits(route.causes) <= from_bits(sooner.causes)
            ),
            (*kind, route.not_before),
        )
        known = merged.get(key)
        merged[key] = route if known is None else _both(known, route)
    return sorted(merged.values(), key=lambda route: route.channel)


def _both(known: AlertRoute, other: AlertRoute) -> AlertRoute:
    """One route for the causes of two, with the sooner reminder."""
    reminder = min((r for r in (known, other) if r.remind_at), key=lambda r: r.remind_at or _NEVER, default=known)
    return structs.replace(
        known,
        preference=known.preference or other.preference,
        causes=to_bits(from_bits(known.causes) | from_bits(other.causes)),
        remind_at=reminder.remind_at,
        remind_after=reminder.remind_after,
    )


def _when(route: AlertRoute) -> dt.datetime:
    return route.not_before or dt.datetime.min.replace(tzinfo=dt.UTC)


def interested(
    situation: Situation, topic: Topic
) -> list[tuple[str, AlertPreference | None, dt.datetime | None, bool]]:
    """Who is told of what isn't a change: channel, preference, when (None: at once), as part of a digest.

    A channel is named once: by the preference that asks for it soonest, or as a default channel.
    """
    if situation.dependency.spec.alerts == "Disabled":
        return []
    found: list[tuple[str, AlertPreference | None, dt.datetime | None, bool]] = []
    for name, channel, preferences in _targets(situation):
        asking = [p for p in preferences if not _refusal(p, situation, topic)]
        if asking:
            due = [(preference, *_due(preference.spec, situation.at, breaking=False)) for preference in asking]
            found.append((name, *min(due, key=lambda each: each[1] or situation.at)))
        elif not _is_covered(situation) and channel is not None and channel.spec.default:
            found.append((name, None, None, False))
    return found


def _targets(situation: Situation) -> list[tuple[str, AlertChannel | None, list[AlertPreference]]]:
    """Each channel that exists or that a preference names, with the preferences that name it."""
    existing = {channel.metadata.name: channel for channel in situation.channels}
    wanted = {name for preference in situation.preferences for name in preference.spec.channels}
    return [
        (name, existing.get(name), [p for p in _by_name(situation.preferences) if name in p.spec.channels])
        for name in sorted(existing.keys() | wanted)
    ]


def _for_channel(
    causes: Causes,
    situation: Situation,
    name: str,
    channel: AlertChannel | None,
    preferences: Sequence[AlertPreference],
) -> list[Verdict]:
    found = []
    for preference in preferences:
        for topic in _CHANGE_TOPICS:
            verdict = _for_preference(causes, situation, name, preference, topic)
            # That a change set names no sunset is what one expects.
            if topic == "Change" or verdict.route is not None:
                if channel is None and verdict.route is not None:
                    verdict = replace(
                        verdict, why=f"{verdict.why}; but AlertChannel {name} doesn't exist: it waits for it"
                    )
                found.append(verdict)
    # Preferences that name it may all be about other Dependencies: to this one it is a default channel nonetheless.
    asked = any(selects(preference.spec.dependencies, situation.dependency) for preference in preferences)
    if channel is None or asked or (found and not channel.spec.default):
        return found
    return found + _by_default(causes, situation, name, channel)


def _by_default(causes: Causes, situation: Situation, name: str, channel: AlertChannel) -> list[Verdict]:
    def verdict(why: str) -> list[Verdict]:
        return [Verdict(channel=name, preference="", topic="Change", why=why)]

    if not channel.spec.default:
        return verdict("no AlertPreference names it, and it isn't marked as default")
    if _is_covered(situation):
        about = ", ".join(p.metadata.name for p in _about(situation))
        return verdict(f"it is a default channel, but {about} is about this Dependency and names other channels")
    breaking = causes.breaking()
    told = breaking - _known(causes, situation)
    found = []
    if told:
        remind_at = situation.at + dt.timedelta(seconds=seconds(DEFAULT_REMIND_AFTER))
        route = AlertRoute(channel=name, causes=to_bits(told), remind_at=remind_at, remind_after=DEFAULT_REMIND_AFTER)
        found.append(Verdict(channel=name, preference="", topic="Change", why=BY_DEFAULT, route=route))
    sunsets = sunset_causes(causes, situation.at)
    if sunsets:
        route = AlertRoute(channel=name, topic="Deprecation", causes=to_bits(sunsets))
        found.append(Verdict(channel=name, preference="", topic="Deprecation", why=BY_DEFAULT, route=route))
    if found:
        return found
    return verdict(
        "all of its breaking changes are acknowledged already"
        if breaking
        else "as a default channel it gets breaking changes, and this change set has none"
    )


def _for_preference(
    causes: Causes, situation: Situation, channel: str, preference: AlertPreference, topic: ChangeTopic
) -> Verdict:
    spec, name = preference.spec, preference.metadata.name

    def verdict(why: str, route: AlertRoute | None = None) -> Verdict:
        return Verdict(channel=channel, preference=name, topic=topic, why=why, route=route)

    refusal = _refusal(preference, situation, topic)
    if refusal:
        return verdict(refusal)
    if topic == "Change":
        wanted = causes.matching(spec)
        told = wanted - _known(causes, situation)
    else:
        wanted = told = sunset_causes(causes, situation.at) & causes.in_scope(spec.scope)
    if not wanted:
        return verdict(_nothing_wanted(spec))
    if not told:
        return verdict("all that it asks for is acknowledged already, in an earlier ChangeSet")
    breaking = bool(told & causes.breaking())
    when, digest = _due(spec, situation.at, breaking=breaking and topic == "Change")
    route = AlertRoute(
        channel=channel, preference=name, topic=topic, causes=to_bits(told), not_before=when, digest=digest
    )
    wait = seconds(spec.remind_after)
    if topic == "Change" and breaking and wait and not digest:
        remind_at = (when or situation.at) + dt.timedelta(seconds=wait)
        if spec.quiet_hours is not None and spec.quiet_hours.breaking == "Wait":
            remind_at = after_quiet(spec.quiet_hours, remind_at)
        route = structs.replace(route, remind_at=remind_at, remind_after=compact(wait))
    return verdict(_when_text(spec, when, digest), route)


def _refusal(preference: AlertPreference, situation: Situation, topic: Topic) -> str:
    """Why a preference isn't about this at all; empty where it is."""
    spec = preference.spec
    if not selects(spec.dependencies, situation.dependency):
        return f"it isn't about Dependency {situation.dependency.metadata.name}"
    if spec.topics and topic not in spec.topics:
        return f"its topics are {', '.join(spec.topics)}"
    if spec.mute_until is not None and situation.at < spec.mute_until:
        return f"it is muted until {_shown(spec.mute_until)}"
    return ""


def _nothing_wanted(spec: AlertPreferenceSpec) -> str:
    asked = [f"of severity {spec.min_severity}" + ("" if spec.min_severity == "breaking" else " or worse")]
    if spec.kinds:
        asked.append(f"of kind {', '.join(spec.kinds)}")
    if spec.scope is not None:
        asked.append(f"in {', '.join([*spec.scope.domains, *spec.scope.endpoints])}")
    unknown = sorted(set(spec.kinds) - {rule.kind for rule in RULES.values()})
    note = f"; no change is ever of kind {', '.join(unknown)}: see specsync rules" if unknown else ""
    return f"it asks for changes {' '.join(asked)}, and there are none{note}"


def _due(spec: AlertPreferenceSpec, at: dt.datetime, *, breaking: bool) -> tuple[dt.datetime | None, bool]:
    """When what comes now is due (None: at once), and whether as part of a digest."""
    due = at if spec.digest is None else next_digest(spec.digest, at)
    quiet = spec.quiet_hours
    if quiet is not None and not (breaking and quiet.breaking == "Send"):
        due = after_quiet(quiet, due)
    return (None if due == at else due), spec.digest is not None


def _when_text(spec: AlertPreferenceSpec, when: dt.datetime | None, digest: bool) -> str:
    zones = {spec.digest.time_zone} if spec.digest else set()
    zones |= {spec.quiet_hours.time_zone} if spec.quiet_hours else set()
    unknown = sorted(zone for zone in zones if zone_of(zone) is None)
    note = f"; the time zone {', '.join(unknown)} is not known, UTC is used" if unknown else ""
    if when is None:
        return f"it asks for this, at once{note}"
    why = f"in its digest of {_shown(when)}" if digest else f"after its quiet hours, at {_shown(when)}"
    return f"it asks for this, {why}{note}"


def _known(causes: Causes, situation: Situation) -> set[int]:
    """Causes that somebody has acknowledged in an earlier change set: the very same edit."""
    return {i for i, cause in enumerate(causes.causes) if cause.fingerprint in situation.acknowledged}


def _about(situation: Situation) -> list[AlertPreference]:
    return [p for p in _by_name(situation.preferences) if selects(p.spec.dependencies, situation.dependency)]


def _is_covered(situation: Situation) -> bool:
    """Whether some preference is about the Dependency: then default channels get nothing by default."""
    return bool(_about(situation))


def _by_name(objects: Sequence[AlertChannel] | Sequence[AlertPreference]) -> list:  # type: ignore[type-arg]
    return sorted(objects, key=lambda each: each.metadata.name)


def _shown(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
