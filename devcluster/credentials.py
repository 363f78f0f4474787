"""Keys, tokens and kubeconfigs of a control plane. Nothing here is known beyond its state folder."""

import base64
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

# SEC 1 form of a P-256 private key without its public half (RFC 5915): version, the 32 bytes, the curve's name.
_P256_BEFORE = bytes.fromhex("30310201010420")
_P256_AFTER = bytes.fromhex("a00a06082a8648ce3d030107")
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class Tokens:
    """Bearer tokens of the two users that exist from the start."""

    admin: str
    controller_manager: str

    @classmethod
    def new(cls) -> "Tokens":
        return cls(admin=secrets.token_urlsafe(32), controller_manager=secrets.token_urlsafe(32))

    def as_auth_file(self) -> str:
        """The CSV of kube-apiserver's --token-auth-file: token, user, uid, groups."""
        return (
            f'{self.admin},devcluster-admin,devcluster-admin,"system:masters"\n'
            f"{self.controller_manager},system:kube-controller-manager,system:kube-controller-manager\n"
        )


def service_account_key() -> str:
    """A new P-256 private key as PEM, with which the API server signs and checks service account tokens."""
    number = secrets.randbelow(_P256_ORDER - 1) + 1
    der = _P256_BEFORE + number.to_bytes(32, "big") + _P256_AFTER
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{body}-----END EC PRIVATE KEY-----\n"


def authority_of(chain: str) -> str:
    """The authority of a PEM chain of certificates: its last one."""
    begin = "-----BEGIN CERTIFICATE-----"
    return begin + chain.rsplit(begin, 1)[1]


def kubeconfig(url: str, authority: str, token: str, user: str, namespace: str = "default") -> str:
    """A kubeconfig with everything inside it (no paths), as JSON, which is YAML as well."""
    name = "specsync-devcluster"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": url,
                    "certificate-authority-data": base64.b64encode(authority.encode()).decode(),
                },
            }
        ],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user, "namespace": namespace}}],
        "current-context": name,
    }
    return json.dumps(content, indent=2) + "\n"


def write_private(path: Path, text: str) -> Path:
    """Write a file that only its owner can read, whole or not at all."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)
    return path
