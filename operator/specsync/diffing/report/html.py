"""A comparison as one page for people: complete in itself, for a browser without a network or JavaScript, too.

All that comes from documents is escaped, and the page's policy allows no script but its own.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from specsync.diffing.comparison import SEVERITIES, Comparison, Event, Severity
from specsync.diffing.plain import plain
from specsync.diffing.report.grouping import (
    Edit,
    Example,
    OperationChanges,
    by_operation,
    change,
    counts,
    edits,
    shown_by,
    summary_line,
)
from specsync.diffing.report.source import Source, names

_FOLDER = Path(__file__).parent
_FEW = 3  # operations named without opening an edit
_MOST_TOLD = 30  # sentences of an edit
_LONGEST_VALUE = 4000  # characters
_ENTITIES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;", ord("'"): "&#39;"}
_SAYS: dict[Severity, str] = {
    "breaking": "clients that follow the older version may stop working",
    "risky": "harmless for most clients, but not surely for all",
    "safe": "nobody has to do anything",
}


def html(comparison: Comparison, old: Source, new: Source, *, group: str = "cause") -> str:
    """The comparison as an HTML document in UTF-8."""
    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    script = (_FOLDER / "page.js").read_text(encoding="utf-8")
    sections = _by_operation(comparison) if group == "operation" else _by_edit(comparison)
    title = escaped(plain(names(old, new)))
    head = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{title}: {escaped(summary_line(comparison))}</title>\n<style>{style}</style>\n</head>\n<body>",
        *_header(comparison, old, new),
    ]
    tail = [*_footer(old, new), f"<script>{script}</script>\n</body>\n</html>\n"]
    main = list(sections) or ['<p class="none">No changes: both versions mean the same to their clients.</p>']
    nothing = '<p class="none hidden" id="nothing">Nothing here has these words.</p>'
    return "\n".join([*head, "<main>", *main, nothing, "</main>", *tail])


def _policy(style: str, script: str) -> str:
    hashes = [b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _header(comparison: Comparison, old: Source, new: Source) -> Iterator[str]:
    title = new.title or old.title or "API changes"
    yield f"<header>\n<h1>{escaped(plain(title))}</h1>"
    versions = " → ".join(f"<b>{escaped(plain(source.version or source.source))}</b>" for source in (old, new))
    yield f'<p class="versions">{versions}</p>'
    yield f'<p class="verdict">{escaped(summary_line(comparison))}</p>\n</header>'
    yield '<div class="bar"><form>'
    for severity, count in counts(comparison):
        box = f'<input type="checkbox" id="show-{severity}" checked>'
        yield f'<label class="chip {severity}">{box}{severity.capitalize()} <b>{count:,}</b></label>'
    yield (
        '<div class="tools" hidden><input type="search" placeholder="Search path, property, rule…" '
        'aria-label="Search"><button type="button">Open all</button></div></form></div>'
    )


def _footer(old: Source, new: Source) -> Iterator[str]:
    yield "<footer>"
    for label, source in (("Old", old), ("New", new)):
        yield (
            f"<p>{label}: {escaped(plain(source.source))} · {escaped(source.format)} · "
            f"<code>{escaped(source.digest[:19])}…</code></p>"
        )
    yield "<p>Made by <code>specsync diff</code>.</p></footer>"


def _by_edit(comparison: Comparison) -> Iterator[str]:
    found = edits(comparison)
    for severity in SEVERITIES:
        shown = [edit for edit in found if edit.severity == severity]
        if shown:
            yield _section(severity, sum(len(edit.causes) for edit in shown), "edit")
            for edit in shown:
                yield from _edit(edit)
            yield "</section>"


def _section(severity: Severity, count: int, noun: str) -> str:
    nouns = noun if count == 1 else f"{noun}s"
    title = f"{severity.capitalize()} <span>{count:,} {nouns}: {_SAYS[severity]}</span>"
    return f'<section class="s-{severity}"><h2>{title}</h2>'


def _edit(edit: Edit) -> Iterator[str]:
    operations = edit.operations()
    reach = f"{len(operations):,} operation{'' if len(operations) == 1 else 's'}" if operations else "whole API"
    few = operations[: _FEW + 1] if len(operations) <= _FEW + 1 else operations[:_FEW]
    where = ", ".join(escaped(name) for name in few)
    if len(operations) > len(few):
        where += f" and {len(operations) - len(few):,} more"
    yield (
        f'<details class="edit {edit.severity}" id="c-{escaped(edit.causes[0].fingerprint)}"><summary>'
        f'<span class="what">{prose(edit.summary)}</span><span class="reach">{reach}</span>'
        + (f'<span class="where">{where}</span>' if where else "")
        + '</summary><div class="body">'
    )
    if edit.events:
        yield from _values(edit.events[0] if len(edit.causes) == 1 else None)
        yield from _example(edit.events)
        yield from _told(edit)
    if len(operations) > len(few):
        rows = "".join(f"<li>{_operation(name)}</li>" for name in operations)
        yield f'<div class="part"><span class="label">Operations</span><ul class="reached">{rows}</ul></div>'
    yield "</div></details>"


def _values(event: Event | None) -> Iterator[str]:
    if event is None or (event.before is None and event.after is None) or isinstance(event.before, bool):
        return
    yield '<div class="values">'
    for label, name, value in (("Before", "old", event.before), ("After", "new", event.after)):
        shown = f"<pre>{escaped(_value(value))}</pre>" if value is not None else "<pre>–</pre>"
        yield f'<div class="{name}"><span class="label">{label}</span>{shown}</div>'
    yield "</div>"


def _example(events: list[Event]) -> Iterator[str]:
    """A value that shows the break."""
    witness = shown_by(events)
    if witness is not None:
        shown = Example.of(witness)
        yield (
            f'<div class="part example"><span class="label">For example</span> {escaped(shown.where)}'
            f"<pre>{escaped(_value(witness.value))}</pre><span>{escaped(shown.verdict)}</span></div>"
        )


def _value(value: Any) -> str:
    if isinstance(value, str):
        lines = [plain(line) for line in value.split("\n")]
    else:
        written = msgspec.json.encode(value, order="deterministic")
        lines = (msgspec.json.format(written, indent=2) if len(written) > 80 else written).decode().split("\n")
    text = "\n".join(map(plain_but_indented, lines))
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def plain_but_indented(line: str) -> str:
    indent = len(line) - len(line.lstrip(" "))
    return " " * indent + plain(line[indent:])


def _told(edit: Edit) -> Iterator[str]:
    """Each thing that is said once, under its rule and its place in the documents."""
    said: dict[tuple[str, str | None, str | None], dict[str, Severity]] = {}
    for event in edit.events:
        key = (event.id, event.location.old, event.location.new)
        said.setdefault(key, {}).setdefault(plain(event.summary), event.severity)
    yield '<div class="part"><ul class="told">'
    for (id_, *pointers), sentences in list(said.items())[:_MOST_TOLD]:
        where = " → ".join(
            f"<code>{escaped(plain(pointer))}</code>" for pointer in dict.fromkeys(pointers) if pointer is not None
        )
        yield f'<li><div class="rule"><code>{escaped(id_)}</code> at {where}</div>'
        if list(sentences) != [edit.summary]:
            for sentence, severity in list(sentences.items())[:_MOST_TOLD]:
                yield f"<div>{_tag(severity)}{prose(sentence)}</div>"
            if len(sentences) > _MOST_TOLD:
                yield f"<div>… and {len(sentences) - _MOST_TOLD:,} more like these</div>"
        yield "</li>"
    if len(said) > _MOST_TOLD:
        yield f"<li>… and {len(said) - _MOST_TOLD:,} more places</li>"
    yield "</ul></div>"


def _by_operation(comparison: Comparison) -> Iterator[str]:
    found = by_operation(comparison)
    for severity in SEVERITIES:
        shown = [changes for changes in found if changes.severity == severity]
        if shown:
            yield _section(severity, len(shown), "operation")
            for changes in shown:
                yield from _changes(changes)
            yield "</section>"


def _changes(changes: OperationChanges) -> Iterator[str]:
    count = len(changes.events)
    yield (
        f'<details class="edit {changes.severity}"><summary><span class="what">{_operation(changes.name)}</span>'
        f'<span class="reach">{count:,} change{"" if count == 1 else "s"}</span>'
        f'<span class="where">{prose(plain(changes.events[0].summary))}</span></summary>'
        '<div class="body"><ul class="told">'
    )
    for event in changes.events:
        values = change(event)
        told = "" if values is None else f": {escaped(values[0])} → {escaped(values[1])}"
        yield (
            f'<li class="s-{event.severity}">{_tag(event.severity)}{prose(plain(event.summary))}'
            f'<div class="rule"><code>{escaped(event.id)}</code>{told}</div>'
        )
        yield from _example([event])
        yield "</li>"
    yield "</ul></div></details>"


def _tag(severity: Severity) -> str:
    return f'<span class="tag {severity}">{severity}</span>'


def _operation(name: str) -> str:
    method, space, path = name.partition(" /")
    return f'<span class="m">{escaped(method)}</span> <span>{escaped(f"/{path}")}</span>' if space else escaped(name)


def prose(text: str) -> str:
    """A sentence of ours, in which ``backticks`` enclose names."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escaped(text)
    return "".join(f"<code>{escaped(part)}</code>" if index % 2 else escaped(part) for index, part in enumerate(parts))


def escaped(text: str) -> str:
    """``text`` for an element's content or a quoted attribute."""
    return text.translate(_ENTITIES)
