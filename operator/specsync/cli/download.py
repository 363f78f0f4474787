"""Documents by URL, for a person at a prompt: with the worker's limits and checks, but private addresses are fine."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

from specsync.cli.documents import SourceText, Unreadable, may_refer_to_files
from specsync.cli.files import Joining
from specsync.fetching.addresses import METADATA_ADDRESSES
from specsync.fetching.client import Fetcher
from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.guard import Exceptions, Guard
from specsync.fetching.redact import redact_url
from specsync.fetching.request import FetchRequest, FetchResult
from specsync.openapi.load import DEFAULT_LIMITS

_EVERYWHERE = ("0.0.0.0/0", "::/0")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_METADATA = frozenset(map(str, METADATA_ADDRESSES))


def download(urls: list[str], *, follow: bool = True) -> dict[str, SourceText]:
    """The documents at these URLs, by URL; with ``follow``, joined with the files of their origin that they refer to.

    Raises ``Unreadable`` for the first that can't be had.
    """
    return asyncio.run(_download(list(dict.fromkeys(urls)), follow=follow))


async def _download(urls: list[str], *, follow: bool) -> dict[str, SourceText]:
    async with Fetcher(_guard(urls)) as fetcher:
        found = await asyncio.gather(*(_fetch(fetcher, url, follow=follow) for url in urls), return_exceptions=True)
    for result in found:
        if isinstance(result, BaseException):
            raise result
    return dict(zip(urls, found, strict=True))  # type: ignore[arg-type]  # none is an exception


def _guard(urls: list[str]) -> Guard:
    """Lets through what the person at this machine may reach anyway: their own and private hosts, at any port."""
    hosts = set()
    for url in urls:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            continue  # the guard says what is wrong with it
        if host and host not in _METADATA:
            hosts.add((host.removesuffix("."), port or _DEFAULT_PORTS[parts.scheme]))
    return Guard(Exceptions(frozenset(hosts), Exceptions.parse(cidrs=_EVERYWHERE).networks))


async def _fetch(fetcher: Fetcher, url: str, *, follow: bool) -> SourceText:
    shown = redact_url(url)
    if "@" in re.split("[/?#]", url, maxsplit=3)[2]:
        raise Unreadable(f"{shown}: user names and passwords in URLs aren't sent; get it by other means and give - .")
    result = await _get(fetcher, url, shown, DEFAULT_LIMITS.max_bytes)
    data = result.body
    if follow and may_refer_to_files(data):
        joining = Joining(shown, result.final_url, data)
        while wanted := joining.next_file():
            found = await _get(fetcher, wanted.uri, f"{shown}: the $ref at {wanted.place}", joining.bytes_left)
            joining.add(wanted, found.body)
        data = joining.data
    return SourceText(shown, data)


async def _get(fetcher: Fetcher, url: str, shown: str, max_bytes: int) -> FetchResult:
    try:
        return await fetcher.fetch(FetchRequest(url=url, max_bytes=max_bytes))
    except FetchError as error:
        raise Unreadable(_reason(error, shown)) from None


def _reason(error: FetchError, shown: str) -> str:
    """Why there is no document, with a step for somebody at a prompt, who has no Secret to put credentials into."""
    if error.reason in (FetchReason.UNAUTHORIZED, FetchReason.FORBIDDEN):
        return f"{shown}: the server asks for credentials; get the document by other means and give its file or - ."
    if error.reason == FetchReason.TLS_FAILURE and "ca.crt" in error.message:
        return f"{shown}: its certificate is signed by none that is trusted; name your CA's file in SSL_CERT_FILE."
    if error.reason == FetchReason.ADDRESS_BLOCKED and "--allow-host" in error.message:  # which this command hasn't
        return f"{shown}: it redirects to a place that isn't followed from there; give the URL that it leads to."
    return error.message if error.message.startswith(shown) else f"{shown}: {error.message}"
