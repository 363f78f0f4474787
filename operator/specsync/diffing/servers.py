"""Servers: where the API, or one of its operations, is offered."""

from __future__ import annotations

from specsync.diffing.session import Session, Target
from specsync.openapi.model import Server


def compare_servers(
    session: Session,
    target: Target | None,
    old: list[Server] | None,
    new: list[Server] | None,
    pointers: tuple[str, str],
) -> None:
    """Servers by their URL, without regard to order. ``pointers``: what has the servers."""
    places = (f"{pointers[0]}/servers", f"{pointers[1]}/servers")
    before, after = ({server.url: server for server in servers or ()} for servers in (old, new))
    prefix = "api-server" if target is None else "endpoint-server"
    for url in before:
        if url not in after:
            session.report(target, f"{prefix}-removed", *places, url, None)
        elif before[url].variables != after[url].variables:
            session.report(target, f"{prefix}-variables-changed", *places, name=url)
    for url in after:
        if url not in before:
            session.report(target, f"{prefix}-added", *places, None, url)
