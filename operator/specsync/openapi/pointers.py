"""JSON pointers as references have them, in the fragment of a URI (RFC 6901, section 6)."""

from __future__ import annotations

from typing import Any


def unescaped(token: str) -> str:
    """The key that a reference token means."""
    if "%" in token:
        from urllib.parse import unquote  # noqa: PLC0415 — rarely needed, and slow to import

        token = unquote(token)
    return token.replace("~1", "/").replace("~0", "~") if "~" in token else token


def tokens_of(pointer: str) -> list[str]:
    """The keys that lead to what ``pointer`` means; none for the whole document, which is the empty pointer."""
    return [unescaped(token) for token in pointer.split("/")[1:]]


def find(tree: Any, pointer: str, nothing: Any = None) -> Any:
    """What ``pointer`` leads to in a plain tree; ``nothing`` where it leads nowhere."""
    for key in tokens_of(pointer):
        if isinstance(tree, dict) and key in tree:
            tree = tree[key]
        elif isinstance(tree, list) and _is_index(key) and int(key) < len(tree):
            tree = tree[int(key)]
        else:
            return nothing
    return tree


def _is_index(key: str) -> bool:
    """Whether ``key`` may be a place in a list: int() takes other digits than these too, and refuses very many."""
    return key.isascii() and key.isdigit() and len(key) < 10
