"""Certificates for the tests, made by the openssl command."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Certificates:
    """A CA, another CA that nobody trusts, and what they have signed; as PEM files in ``folder``."""

    folder: Path

    def pem(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def server(self, name: str = "server", *, client_ca: str | None = None) -> ssl.SSLContext:
        """A server's context; with ``client_ca`` it insists on a client certificate that this CA has signed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        if client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.folder / client_ca)
        return context


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """``ca``, ``other-ca``; ``server`` for vendor.test and 127.0.0.1, ``expired`` for the same, ``client``."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make certificates")
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def make_certificates(folder: Path, server: str = "DNS:vendor.test,IP:127.0.0.1") -> Certificates:
    """``server`` is the names of the server's certificates, as openssl has them."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)

    def key_and_request(name: str) -> None:
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key"]
        openssl("req", "-new", *new_key, "-subj", f"/CN={name}", "-out", f"{name}.csr")

    for ca in ("ca", "other-ca"):
        key_and_request(ca)
        (folder / f"{ca}.ext").write_text("basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n")
        signing = ["-signkey", f"{ca}.key", "-days", "2", "-extfile", f"{ca}.ext", "-out", f"{ca}.crt"]
        openssl("x509", "-req", "-in", f"{ca}.csr", *signing)
    for name, days, names in (
        ("server", "2", server),
        ("expired", "-1", server),
        ("client", "2", "DNS:client.test"),
    ):
        key_and_request(name)
        (folder / f"{name}.ext").write_text(f"subjectAltName={names}\n")
        signing = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", days]
        openssl("x509", "-req", "-in", f"{name}.csr", *signing, "-extfile", f"{name}.ext", "-out", f"{name}.crt")
    return Certificates(folder)
