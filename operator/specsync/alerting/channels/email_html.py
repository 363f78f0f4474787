"""The HTML of a mail: one column, styles in the tags, nothing to load, as mail readers want it. All texts escaped."""

from html import escape

from specsync.alerting.outline import Entry, Outline, Section

_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_MONO = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px"
_COLORS = {"Critical": "#c62828", "Warning": "#b26a00", "Info": "#1565c0", "Good": "#2e7d32"}
_MARKS = {"breaking": "#c62828", "risky": "#b26a00", "safe": "#2e7d32"}
_GRAY = "#5f6368"


def html_page(found: Outline) -> str:
    """A whole page for the outline."""
    many = len(found.sections) > 1
    parts = [_heading(found.headline, _COLORS[found.level], 20)] if many else []
    parts += [_section(section, many) for section in found.sections]
    if found.more_line:
        parts.append(_paragraph(found.more_line, _GRAY))
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(found.headline)}</title></head>"
        f'<body style="margin:0;padding:16px;{_FONT};font-size:15px;line-height:1.45">'
        f'<div style="max-width:680px;margin:0 auto">{"".join(parts)}'
        f'<p style="margin:24px 0 0;color:{_GRAY};font-size:12px">Sent by specsync. Who gets what is in the '
        "AlertPreferences and AlertChannels of the namespace.</p></div></body></html>\n"
    )


def _section(section: Section, many: bool) -> str:
    color = _COLORS[section.level]
    parts = [_heading(section.title, color, 17 if many else 20), _paragraph(section.origin, _GRAY)]
    if section.text:
        parts.append(_paragraph(section.text))
    if section.entries:
        parts.append(
            f'<ul style="margin:0 0 12px;padding:0;list-style:none">{"".join(map(_entry, section.entries))}</ul>'
        )
    if section.more_line:
        parts.append(_paragraph(section.more_line, _GRAY))
    for label, command in section.commands:
        parts.append(
            f'<p style="margin:0 0 8px"><span style="color:{_GRAY}">{escape(label)}</span><br>'
            f'<code style="{_MONO};word-break:break-all">{escape(command)}</code></p>'
        )
    if section.link:
        parts.append(f'<p style="margin:12px 0"><a href="{escape(section.link)}">Open in the dashboard</a></p>')
    return f'<div style="border-left:4px solid {color};padding:2px 0 2px 14px;margin:0 0 24px">{"".join(parts)}</div>'


def _entry(entry: Entry) -> str:
    mark = ""
    if entry.mark:
        style = f"color:{_MARKS[entry.mark]};font-weight:600;font-size:12px;text-transform:uppercase"
        mark = f'<span style="{style}">{escape(entry.mark)}</span><br>'
    details = "".join(
        f'<div style="color:{_GRAY};font-size:13px;overflow-wrap:anywhere">{escape(detail)}</div>'
        for detail in entry.details
    )
    return (
        f'<li style="margin:0 0 12px;overflow-wrap:anywhere">{mark}<strong>{escape(entry.line)}</strong>{details}</li>'
    )


def _heading(text: str, color: str, size: int) -> str:
    style = f"margin:0 0 4px;font-size:{size}px;color:{color};overflow-wrap:anywhere"
    return f'<h1 style="{style}">{escape(text)}</h1>'


def _paragraph(text: str, color: str = "inherit") -> str:
    return f'<p style="margin:0 0 12px;color:{color};overflow-wrap:anywhere">{escape(text)}</p>'
