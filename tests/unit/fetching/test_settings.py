"""The administrator's settings, from the command line to what fetches."""

import argparse
import asyncio
from ipaddress import ip_address

import pytest

from specsync.cli import operate
from specsync.fetching.client import Fetcher
from specsync.fetching.guard import MAIL_PORTS, Guard, Pin
from specsync.fetching.politeness import HostLimits
from specsync.fetching.proxy import Proxy


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    operate.add_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture(autouse=True)
def without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPECSYNC_PROXY", raising=False)


def test_flags_reach_what_fetches(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = operate._guard(options())
    assert (guard.proxy, guard.limits) == (None, HostLimits(4, 5.0))
    monkeypatch.setenv("SPECSYNC_PROXY", "http://me:s3cret@env.corp:3128")
    guard = operate._guard(options("--host-concurrency=2", "--host-rate=0.5"))
    assert guard.proxy == Proxy.parse("http://me:s3cret@env.corp:3128")
    assert guard.limits == HostLimits(2, 0.5)
    assert Fetcher(guard)._politeness._limits == HostLimits(2, 0.5)
    assert operate._guard(options("--proxy=http://flag.corp:8080")).proxy == Proxy("flag.corp", 8080)


def test_the_usual_variables_set_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://proxy.corp:3128")
    assert operate._guard(options()).proxy is None


def test_a_pinned_guard_keeps_the_other_settings() -> None:
    guard = Guard(proxy=Proxy("proxy.corp", 3128), limits=HostLimits(1, 1))
    pinned = guard.pinned(Pin("orders.team-a.svc", 8080, ip_address("10.0.0.7")))
    assert (pinned.proxy, pinned.limits) == (guard.proxy, guard.limits)
    assert guard.pinned(None) is guard
    mail = guard.on_ports(MAIL_PORTS).pinned(Pin("mail.team-a.svc", 25, ip_address("10.0.0.7")))
    assert asyncio.run(mail.addresses("1.1.1.1", 587)) == [ip_address("1.1.1.1")]
    assert guard.pinned(Pin("mail.team-a.svc", 25, ip_address("10.0.0.7")))._pin is not None
    assert guard._pin is None


@pytest.mark.parametrize(
    ("contact", "agent"),
    [
        (None, "specsync/0.1.0"),
        ("https://example.com/about?team=a", "specsync/0.1.0 (+https://example.com/about?team=a)"),
        ("mailto:api-team@example.com", "specsync/0.1.0 (+mailto:api-team@example.com)"),
    ],
)
def test_a_contact_is_in_the_user_agent(contact: str | None, agent: str) -> None:
    assert operate._user_agent(contact) == agent


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--contact=example.com"], "--contact isn't a link: write https://example.com/about"),
        (["--contact=https://a.example/\r\nX-Evil: 1"], "--contact isn't a link"),
        (["--contact=https://a.example/)("], "--contact isn't a link"),
        (["--host-rate=-1"], "--host-concurrency and --host-rate are numbers from 0 on; 0 lifts the limit"),
        (["--host-rate=nan"], "--host-concurrency and --host-rate are numbers from 0 on"),
        (["--host-concurrency=-1"], "--host-concurrency and --host-rate are numbers from 0 on"),
        (["--proxy=http://me:s3cret@proxy.corp:3128"], "put the URL in SPECSYNC_PROXY"),
        (["--proxy=proxy.corp"], "isn't an HTTP proxy: write http://host:port"),
        (["--allow-host=api.corp"], "--allow-host 'api.corp' isn't a host and a port"),
    ],
)
def test_settings_that_cannot_be_used_end_the_start(
    words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert operate.run(options(*words)) == 2
    told = capsys.readouterr().err
    assert text in told
    assert "s3cret" not in told
