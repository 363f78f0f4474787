"""The message of an alert, as a delivery holds it: complete in itself, the same for every kind of channel.

Texts of vendors (titles, versions, paths, values) are data: plain strings here, to be escaped by each channel.
"""

from typing import Annotated, Literal

from msgspec import Meta

from specsync.resources.changeset import Severity
from specsync.resources.meta import FrozenStruct, Time

MessageKind = Literal["Change", "Reminder", "Deprecation", "Health", "Channel", "Test", "Resolve"]
Level = Literal["Critical", "Warning", "Info", "Good"]

MAX_CAUSES = 50
MAX_OPERATIONS = 10
MAX_SUNSETS = 50
MAX_MESSAGE_BYTES = 64 * 1024
MAX_TEXT = 512  # characters of a text of a document

_Text = Annotated[str, Meta(max_length=MAX_TEXT)]


class MessageOperation(FrozenStruct, frozen=True, kw_only=True):
    method: Annotated[str, Meta(max_length=16, description="HTTP method, upper case.")]
    path: Annotated[str, Meta(max_length=MAX_TEXT, description="Path template, as in the document.")]


class MessageWitness(FrozenStruct, frozen=True, kw_only=True):
    """A value that shows a break: one document accepts it and the other refuses it."""

    place: Annotated[str, Meta(max_length=256, description="Where it is sent: request body, response 200, …")]
    accepted_by: Annotated[Literal["old", "new"], Meta(description="Which of the two documents accepts it.")]
    value: Annotated[str, Meta(max_length=1024, description="The value, as JSON.")]
    reason: Annotated[str, Meta(max_length=256, description="Why it is refused, in the validator's words.")]


class MessageCause(FrozenStruct, frozen=True, kw_only=True):
    """One edit of the contract, with what it reaches."""

    summary: Annotated[_Text, Meta(description="What changed, in a sentence.")]
    severity: Annotated[Severity, Meta(description="The worst of its events.")]
    kind: Annotated[str, Meta(max_length=64, description="The part of the contract that it is about.")]
    domain: Annotated[str, Meta(max_length=128, description="The first operation's domain.")] = ""
    operations: Annotated[
        list[MessageOperation], Meta(max_length=MAX_OPERATIONS, description="The first operations that it reaches.")
    ] = []
    operation_count: Annotated[int, Meta(description="How many operations it reaches; 0: it is about the whole.")] = 0
    before: Annotated[_Text, Meta(description="The older value of its worst event.")] | None = None
    after: Annotated[_Text, Meta(description="The newer value of its worst event.")] | None = None
    witness: Annotated[MessageWitness, Meta(description="A value that shows the break.")] | None = None


class MessageCounts(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    breaking: Annotated[int, Meta(description="Breaking changes.")] = 0
    risky: Annotated[int, Meta(description="Risky changes.")] = 0
    safe: Annotated[int, Meta(description="Safe changes.")] = 0


class MessageChange(FrozenStruct, frozen=True, kw_only=True):
    """What changed, as far as the preference asked for it."""

    change_set: Annotated[str, Meta(max_length=253, description="Name of the ChangeSet.")]
    from_version: Annotated[str, Meta(max_length=128, description="The older info.version.")] = ""
    to_version: Annotated[str, Meta(max_length=128, description="The newer info.version.")] = ""
    counts: Annotated[MessageCounts, Meta(description="Number of changes (events) by severity.")]
    causes: Annotated[list[MessageCause], Meta(max_length=MAX_CAUSES, description="Worst first.")] = []
    more_causes: Annotated[int, Meta(description="How many causes are left out here.")] = 0
    partial: Annotated[
        bool, Meta(description="true: the preference asked for a part of the change set; counts are of that part.")
    ] = False


class MessageSunset(FrozenStruct, frozen=True, kw_only=True):
    """An operation that is deprecated, with the day on which the provider means to end it."""

    operation: Annotated[MessageOperation, Meta(description="The operation.")]
    date: Annotated[str, Meta(max_length=10, description="The day, as YYYY-MM-DD.")]


class MessageCommand(FrozenStruct, frozen=True, kw_only=True):
    label: Annotated[str, Meta(max_length=64, description="What it is for.")]
    command: Annotated[str, Meta(max_length=512, description="What to type; of names that Kubernetes has checked.")]


class AlertMessage(FrozenStruct, frozen=True, kw_only=True):
    """One thing to tell."""

    kind: Annotated[MessageKind, Meta(description="What it is about.")]
    level: Annotated[
        Level, Meta(description="How bad it is: Critical for breaking changes, Good for an end of trouble.")
    ]
    title: Annotated[str, Meta(max_length=256, description="All of it in one line, for a phone or a subject.")]
    text: Annotated[str, Meta(max_length=2048, description="More of it, in plain sentences; may be empty.")] = ""
    namespace: Annotated[str, Meta(max_length=63, description="Namespace of what it is about.")]
    dependency: Annotated[
        str, Meta(max_length=63, description="Name of the Dependency; empty where it is about none.")
    ] = ""
    display_name: Annotated[str, Meta(max_length=256, description="How the Dependency is called in texts.")] = ""
    api_title: Annotated[str, Meta(max_length=256, description="The contract's info.title.")] = ""
    at: Annotated[Time, Meta(description="When it came about.")]
    change: Annotated[MessageChange, Meta(description="Of kinds Change, Reminder and Resolve.")] | None = None
    sunsets: Annotated[
        list[MessageSunset], Meta(max_length=MAX_SUNSETS, description="Of kind Deprecation: soonest first.")
    ] = []
    commands: Annotated[list[MessageCommand], Meta(max_length=4, description="What to do next.")] = []
    link: Annotated[str, Meta(max_length=2048, description="A page on it, below the operator's --dashboard-url.")] = ""
    incident: Annotated[
        str,
        Meta(max_length=128, description="The same for a change, its reminder and its end: a key for deduplication."),
    ] = ""
