"""Where blobs go: what `--blob-store` says, and the settings of an object store by their well-known names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CONFIGMAP = "configmap"

# The settings of each kind of store bear the names that its own tools give them in the environment.
SETTING_PREFIXES = {"s3": ("AWS_",), "gs": ("GOOGLE_",), "az": ("AZURE_",), "file": ()}
CA_KEY = "ca.crt"

_EXAMPLES = "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER"


@dataclass(frozen=True)
class Location:
    """An object store: `bucket` is the container of az, and empty for file, whose folder is `prefix`."""

    scheme: str
    bucket: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> "Location":
        """Raises ValueError, which says what to write and doesn't repeat what may hold a secret."""
        parts = urlsplit(text)
        if parts.scheme not in SETTING_PREFIXES:
            raise ValueError(f"--blob-store isn't configmap, {_EXAMPLES}")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("--blob-store has more than bucket and prefix: settings go into --blob-store-secret")
        if parts.scheme == "file":
            if parts.netloc or not Path(parts.path).is_absolute():
                raise ValueError("--blob-store file: needs an absolute path, as in file:///var/lib/specsync")
            return cls("file", "", parts.path)
        if not re.fullmatch(r"[a-zA-Z0-9][-._a-zA-Z0-9]{1,254}", parts.netloc):
            raise ValueError(f"--blob-store names no bucket: write {_EXAMPLES}")
        prefix = parts.path.strip("/")
        if any(part in ("", ".", "..") for part in prefix.split("/")) and prefix:
            raise ValueError("the prefix of --blob-store has an empty part, '.' or '..' in it")
        return cls(parts.scheme, parts.netloc, prefix)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}{'/' if self.bucket and self.prefix else ''}{self.prefix}"


@dataclass(frozen=True)
class StorePlan:
    """`--blob-store`, as often as it is given: the first is where blobs go, the others are read too."""

    writes_to: str  # configmap, or the scheme of a location
    locations: tuple[Location, ...] = ()

    @classmethod
    def parse(cls, texts: list[str]) -> "StorePlan":
        """Raises ValueError, which says what to write."""
        locations = tuple(Location.parse(text) for text in texts if text != CONFIGMAP)
        schemes = [location.scheme for location in locations]
        if len(set(schemes)) < len(schemes):
            raise ValueError("--blob-store names two stores of the same kind: copy the objects to one of them")
        first = texts[0] if texts else CONFIGMAP
        return cls(CONFIGMAP if first == CONFIGMAP else schemes[0], locations)


def settings_for(scheme: str, found: Mapping[str, str]) -> dict[str, str]:
    """Those of the settings that are for this kind of store."""
    return {key: value for key, value in found.items() if key.startswith(SETTING_PREFIXES[scheme])}


def unknown_settings(found: Mapping[str, str]) -> list[str]:
    """Keys of a Secret that no kind of store has a use for."""
    known = tuple(prefix for prefixes in SETTING_PREFIXES.values() for prefix in prefixes)
    return sorted(key for key in found if key != CA_KEY and not key.startswith(known))
