"""The HTML of a mail: one column, styles in the tags, nothing to load, as mail readers want it. All texts escaped.

Colours for a dark scheme are in a style sheet, which takes the place of the tags' own; readers without one show a
light page.
"""

from html import escape

from specsync.alerting.outline import Entry, Outline, Section

_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_MONO = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px"
# By class: the colour on a light page, and on a dark one; all with a contrast of 4.5 to 1 and more.
_COLORS = {
    "red": ("#c62828", "#ff8a80"),
    "orange": ("#9a5b00", "#ffb74d"),
    "blue": ("#1565c0", "#82b1ff"),
    "green": ("#2e7d32", "#81c784"),
    "gray": ("#5f6368", "#a8adb3"),
    "link": ("#1565c0", "#82b1ff"),
}
_LEVELS = {"Critical": "red", "Warning": "orange", "Info": "blue", "Good": "green"}
_MARKS = {"breaking": "red", "risky": "orange", "safe": "green"}
_DARK = (
    "@media (prefers-color-scheme:dark){body{background:#1b1b1d!important;color:#e8eaed!important}"
    + "".join(
        f".{name}{{color:{dark}!important}}.{name}-line{{border-color:{dark}!important}}"
        for name, (_, dark) in _COLORS.items()
    )
    + "}"
)
_PREVIEWED = 3  # edits that a mail reader's list shows below the subject


def html_page(found: Outline) -> str:
    """A whole page for the outline."""
    many = len(found.sections) > 1
    parts = [_preview(found)]
    parts += [_heading(found.headline, _LEVELS[found.level], 20)] if many else []
    parts += [_section(section, many) for section in found.sections]
    if found.more_line:
        parts.append(_paragraph(found.more_line, "gray"))
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">'
        f"<title>{escape(found.headline)}</title><style>{_DARK}</style></head>"
        '<body style="margin:0;padding:16px;background:#ffffff;color:#202124;'
        f'{_FONT};font-size:15px;line-height:1.45">'
        f'<div style="max-width:680px;margin:0 auto">{"".join(parts)}'
        f'<p class="gray" style="margin:24px 0 0;{_color("gray")};font-size:12px">Sent by specsync. Who gets what is '
        "in the AlertPreferences and AlertChannels of the namespace.</p></div></body></html>\n"
    )


def _preview(found: Outline) -> str:
    """What lists of mails show beside the subject: not the subject once more."""
    lines = [entry.line for entry in found.sections[0].entries[:_PREVIEWED]]
    text = " · ".join(lines) if len(found.sections) == 1 else " · ".join(each.title for each in found.sections)
    if not text:
        return ""
    return f'<div style="display:none;max-height:0;overflow:hidden">{escape(text)}</div>'


def _section(section: Section, many: bool) -> str:
    color = _LEVELS[section.level]
    parts = [_heading(section.title, color, 17 if many else 20), _paragraph(section.origin, "gray")]
    if section.text:
        parts.append(_paragraph(section.text))
    if section.entries:
        parts.append(
            f'<ul style="margin:0 0 12px;padding:0;list-style:none">{"".join(map(_entry, section.entries))}</ul>'
        )
    if section.more_line:
        parts.append(_paragraph(section.more_line, "gray"))
    for label, command in section.commands:
        parts.append(
            f'<p style="margin:0 0 8px"><span class="gray" style="{_color("gray")}">{escape(label)}</span><br>'
            f'<code style="{_MONO};word-break:break-all">{escape(command)}</code></p>'
        )
    if section.link:
        parts.append(
            f'<p style="margin:12px 0"><a class="link" style="{_color("link")}" href="{escape(section.link)}">'
            "Open in the dashboard</a></p>"
        )
    border = f"border-left:4px solid {_COLORS[color][0]};padding:2px 0 2px 14px;margin:0 0 24px"
    return f'<div class="{color}-line" style="{border}">{"".join(parts)}</div>'


def _entry(entry: Entry) -> str:
    mark = ""
    if entry.mark:
        color = _MARKS[entry.mark]
        style = f"{_color(color)};font-weight:600;font-size:12px;text-transform:uppercase"
        mark = f'<span class="{color}" style="{style}">{escape(entry.mark)}</span><br>'
    details = "".join(
        f'<div class="gray" style="{_color("gray")};font-size:13px;overflow-wrap:anywhere">{escape(detail)}</div>'
        for detail in entry.details
    )
    return (
        f'<li style="margin:0 0 12px;overflow-wrap:anywhere">{mark}<strong>{escape(entry.line)}</strong>{details}</li>'
    )


def _heading(text: str, color: str, size: int) -> str:
    style = f"margin:0 0 4px;font-size:{size}px;line-height:1.3;{_color(color)};overflow-wrap:anywhere"
    return f'<h1 class="{color}" style="{style}">{escape(text)}</h1>'


def _paragraph(text: str, color: str = "") -> str:
    of_class, style = (f' class="{color}"', f"{_color(color)};") if color else ("", "")
    return f'<p{of_class} style="margin:0 0 12px;{style}overflow-wrap:anywhere">{escape(text)}</p>'


def _color(name: str) -> str:
    return f"color:{_COLORS[name][0]}"
