"""TLS: whom a fetch trusts, and what it says when it doesn't."""

import asyncio
import ssl

import pytest

from specsync.fetching.errors import FetchError, FetchReason
from specsync.fetching.request import Credentials, FetchRequest, FetchResult
from specsync.fetching.tls import tls_context
from tests.unit.fetching.conftest import Certificates
from tests.unit.fetching.servers import Names, failure_of, opening, reply, serve

NAMES = {"vendor_test": ["127.0.0.1"], "other_test": ["127.0.0.1"]}


async def fetch_secure(port: int, credentials: Credentials, host: str = "vendor.test") -> FetchResult:
    async with opening(f"{host}:{port}", names=Names(**NAMES)) as fetcher:
        return await fetcher.fetch(FetchRequest(url=f"https://{host}:{port}/?key=s3cret", credentials=credentials))


@pytest.mark.parametrize("host", ["vendor.test", "127.0.0.1"])
def test_a_ca_of_ones_own_is_trusted(certificates: Certificates, host: str) -> None:
    async def story() -> None:
        server_names: list[str | None] = []
        context = certificates.server()
        context.sni_callback = lambda _socket, name, _context: server_names.append(name)
        async with serve(reply(body=b"{}"), tls=context) as server:
            result = await fetch_secure(server.port, Credentials(ca_pem=certificates.pem("ca.crt")), host)
        assert result.body == b"{}"
        assert server.requests[0].header("Host") == f"{host}:{server.port}"
        assert server_names == [host if host == "vendor.test" else None]  # SNI is for names (RFC 6066)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("server_certificate", "host", "ca", "text"),
    [
        ("server", "vendor.test", None, "ca.crt in the Secret of certSecretRef"),
        ("server", "vendor.test", "other-ca.crt", "ca.crt in the Secret of certSecretRef"),
        ("server", "other.test", "ca.crt", "isn't for other.test"),
        ("expired", "vendor.test", "ca.crt", "has expired"),
    ],
)
def test_a_certificate_that_is_not_accepted(
    certificates: Certificates, server_certificate: str, host: str, ca: str | None, text: str
) -> None:
    async def story() -> None:
        async with serve(reply(body=b"{}"), tls=certificates.server(server_certificate)) as server:
            credentials = Credentials(bearer_token="t0ken", ca_pem=certificates.pem(ca) if ca else None)
            error = await failure_of(fetch_secure(server.port, credentials, host))
        assert (error.reason, error.retryable) == (FetchReason.TLS_FAILURE, False)
        assert text in error.message
        assert f"https://{host}:{server.port}/" in error.message
        assert "s3cret" not in error.message
        assert server.requests == []

    asyncio.run(story())


def test_a_client_certificate_is_shown_to_who_asks(certificates: Certificates) -> None:
    async def story() -> None:
        async with serve(reply(body=b"{}"), tls=certificates.server(client_ca="ca.crt")) as server:
            credentials = Credentials(
                ca_pem=certificates.pem("ca.crt"),
                client_cert_pem=certificates.pem("client.crt"),
                client_key_pem=certificates.pem("client.key"),
            )
            assert (await fetch_secure(server.port, credentials)).body == b"{}"
        assert server.client_certificates[0]

    asyncio.run(story())


def test_a_missing_client_certificate_is_said(certificates: Certificates) -> None:
    async def story() -> None:
        async with serve(reply(body=b"{}"), tls=certificates.server(client_ca="ca.crt")) as server:
            error = await failure_of(fetch_secure(server.port, Credentials(ca_pem=certificates.pem("ca.crt"))))
        # The alert of TLS 1.3 comes after the handshake, and is lost when the reset overtakes it.
        assert error.reason in (FetchReason.TLS_FAILURE, FetchReason.CONNECTION_FAILED)
        assert "put tls.crt and tls.key in the Secret" in error.message

    asyncio.run(story())


def test_a_client_certificate_does_not_follow_to_another_origin(certificates: Certificates) -> None:
    async def story() -> None:
        context = certificates.server(client_ca="ca.crt")
        context.verify_mode = ssl.CERT_OPTIONAL
        async with serve(reply(body=b"{}"), tls=context) as other:
            answer = reply(302, Location=f"https://127.0.0.1:{other.port}/")
            async with serve(answer, tls=context) as server:
                hosts = (f"127.0.0.1:{server.port}", f"127.0.0.1:{other.port}")
                async with opening(*hosts) as fetcher:
                    credentials = Credentials(
                        ca_pem=certificates.pem("ca.crt"),
                        client_cert_pem=certificates.pem("client.crt"),
                        client_key_pem=certificates.pem("client.key"),
                    )
                    url = f"https://127.0.0.1:{server.port}/"
                    await fetcher.fetch(FetchRequest(url=url, credentials=credentials))
        assert server.client_certificates[0]
        assert not other.client_certificates[0]

    asyncio.run(story())


def test_a_server_without_tls_on_that_port() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async def story() -> None:
        listening = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with listening:
            error = await failure_of(fetch_secure(listening.sockets[0].getsockname()[1], Credentials()))
        assert error.reason == FetchReason.TLS_FAILURE
        assert "doesn't speak TLS" in error.message

    asyncio.run(story())


@pytest.mark.parametrize("broken", ["ca", "cert", "key", "mismatch"])
def test_pem_texts_that_cannot_be_used_are_named(certificates: Certificates, broken: str) -> None:
    ca = b"nonsense" if broken == "ca" else certificates.pem("ca.crt")
    cert = b"nonsense" if broken == "cert" else certificates.pem("client.crt")
    key = {"key": b"nonsense", "mismatch": certificates.pem("server.key")}.get(broken, certificates.pem("client.key"))
    with pytest.raises(FetchError) as refused:
        tls_context(ca, public_roots=False, client_cert=(cert, key))
    assert refused.value.reason == FetchReason.INVALID_CREDENTIALS
    assert ("ca.crt" if broken == "ca" else "tls.crt and tls.key") in refused.value.message
    assert "nonsense" not in refused.value.message


def test_a_bundle_with_comments_in_any_script_is_read(certificates: Certificates) -> None:
    bundle = (
        "# Zertifizierungsstelle Köln\n".encode()
        + certificates.pem("ca.crt")
        + b"\n"
        + certificates.pem("other-ca.crt")
    )
    assert len(tls_context(bundle, public_roots=False).get_ca_certs()) == 2


def test_an_administrators_trust_store_replaces_the_public_one(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.folder / "ca.crt"))
    context = tls_context(certificates.pem("other-ca.crt"), public_roots=True)
    assert {str(found["subject"]) for found in context.get_ca_certs()} == {
        "(((('commonName', 'ca'),),))"[1:-1],
        "(((('commonName', 'other-ca'),),))"[1:-1],
    }
