"""What of a URL may be shown."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specsync.fetching.redact import redact_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/v1/openapi.json", "https://a.example/v1/openapi.json"),
        ("https://a.example:8443/x?key=s3cret", "https://a.example:8443/x"),
        ("https://a.example/x#s3cret", "https://a.example/x"),
        ("https://a.example?key=s3cret", "https://a.example"),
        ("https://a.example", "https://a.example"),
        ("https://user:s3cret@a.example/x", "https://a.example/x"),
        ("https://s3cret@a.example/@scope/x", "https://a.example/@scope/x"),
        ("https://us@er:s3@cret@a.example/x", "https://a.example/x"),
        ("https://[fd00::1]:8443/x?s3cret", "https://[fd00::1]:8443/x"),
        ("https://user:s3cret/word@a.example/x", "https://…"),
        ("https://user:s3cret@/x", "https://…"),
        ("https://a.example\\@s3cret/x", "https://…"),
        ("file:///etc/passwd", "file://…"),
        ("s3cret", "(unreadable URL)"),
        ("", "(unreadable URL)"),
        ("https://a.example/x\nInjected: line?s3cret", "https://a.example/x?Injected:?line"),
        ("https://a.example/é", "https://a.example/?"),
    ],
)
def test_redacted(url: str, shown: str) -> None:
    assert redact_url(url) == shown


def test_a_long_url_is_cut() -> None:
    assert len(redact_url("https://a.example/" + "x" * 10_000)) == 300


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_nothing_secret_is_left(text: str, before: str, after: str) -> None:
    secret = "s3cretSECRET"
    for url in (
        f"https://u:{secret}@a.example/{text}",
        f"https://a.example/{text}?{before}{secret}{after}",
        f"{text}?{secret}",
    ):
        shown = redact_url(url)
        assert secret not in shown
        assert shown.isprintable()
