"""URLs as they may be shown: in a status, an event, a log line or an error."""

import re

_MAX_SHOWN = 300
_SHOWABLE = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://(?:[^/?#\\]*@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?(/[^?#]*)?"
)
_UNSHOWABLE_CHARACTERS = re.compile(r"[^\x21-\x7e]")


def redact_url(url: str) -> str:
    """``url`` without user info, query and fragment, at most 300 characters, with odd characters as ``?``.

    Never raises. A text of which the secret parts can't be told apart (``http://user:p/ss@host``) loses
    all but its scheme.
    """
    found = _SHOWABLE.match(url)
    if found is None or url[found.end() : found.end() + 1] not in ("", "?", "#"):
        scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://", url)
        return f"{scheme[0]}…" if scheme else "(unreadable URL)"
    scheme_name, host, port, path = found.groups()
    shown = _UNSHOWABLE_CHARACTERS.sub("?", f"{scheme_name}://{host}{port or ''}{path or ''}")
    return shown if len(shown) <= _MAX_SHOWN else shown[: _MAX_SHOWN - 1] + "…"
