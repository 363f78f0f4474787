"""Messages as specsync makes them, plain ones and ones that a hostile document's texts stand in."""

import datetime as dt
from typing import Any

from specsync.alerting.channels.contract import Envelope
from specsync.alerting.message import Cause, Change, Command, Counts, Message, Operation, Sunset, Witness

AT = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)


def change(causes: int = 2, text: str = "", **settings: Any) -> Message:
    """A change set's message; `text` stands in every place that a document's author fills."""
    return Message(
        kind="Change",
        level="Critical",
        title=f"{text or 'Shop'}: {causes} breaking changes (1.2 → 1.3)",
        namespace="team-a",
        dependency="shop",
        display_name=text or "Shop",
        api_title=text or "Orders",
        at=AT,
        change=Change(
            change_set="shop-1795515744",
            from_version=text or "1.2",
            to_version=text or "1.3",
            counts=Counts(breaking=causes, risky=0, safe=1),
            causes=[cause(number, text) for number in range(causes)],
        ),
        commands=[
            Command(label="See all of it", command="kubectl specsync changes shop-1795515744 -n team-a"),
            Command(label="Acknowledge", command="kubectl specsync alerts ack shop-1795515744 -n team-a"),
        ],
        link="https://specsync.example.com/team-a/changes/shop-1795515744",
        incident="specsync/uid-1",
        **settings,
    )


def cause(number: int, text: str = "") -> Cause:
    return Cause(
        summary=text or f"schema Order{number}, currency: required property removed",
        severity="breaking",
        kind="property_removed",
        domain=text or "orders",
        operations=[Operation(method="GET", path=text or f"/orders/{n}") for n in range(4)],
        operation_count=7,
        before=text or "string",
        after=text or None,
        witness=Witness(
            place=text or "response 200",
            accepted_by="new",
            value=text or '{"total":1}',
            reason=text or '"currency" is a required property',
        ),
    )


def sunset() -> Message:
    return Message(
        kind="Deprecation",
        level="Warning",
        title="Shop: GET /orders ends on 2027-01-01, in 38 days",
        text="The provider has deprecated this and named the day of its end (sunset).",
        namespace="team-a",
        dependency="shop",
        display_name="Shop",
        at=AT,
        sunsets=[Sunset(operation=Operation(method="GET", path="/orders"), date="2027-01-01")],
    )


def resolve() -> Message:
    return Message(
        kind="Resolve",
        level="Good",
        title="Closed: Shop: 2 breaking changes (1.2 → 1.3)",
        text="anna acknowledged it.",
        namespace="team-a",
        dependency="shop",
        display_name="Shop",
        at=AT,
        incident="specsync/uid-1",
    )


def single(message: Message, id_: str = "delivery-1") -> Envelope:
    return Envelope(id=id_, mode="Single", messages=(message,))


def group(*messages: Message) -> Envelope:
    return Envelope(id="group-1", mode="Group", messages=messages)
