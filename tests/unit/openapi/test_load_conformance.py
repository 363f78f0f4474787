"""Real documents, and those that another tool was recorded on, all load. They aren't part of the project."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path

import pytest

from specsync.openapi.limits import Limits
from specsync.openapi.load import load
from specsync.openapi.yaml_events import read_exactly
from specsync.openapi.yaml_fast import read_fast

FOLDER = Path(os.environ.get("SPECSYNC_CONFORMANCE_DIR") or Path(__file__).parents[3].parent / "shared" / "conformance")
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="no conformance data: set SPECSYNC_CONFORMANCE_DIR to the folder that holds it"
)


def recorded() -> list[Path]:
    """The documents that the recorded comparisons were made of."""
    pairs = [json.loads(line) for line in (FOLDER / "oasdiff" / "expected.jsonl").read_text().splitlines()]
    return sorted({FOLDER / "oasdiff" / pair[side] for pair in pairs for side in ("base", "revision")})


def test_all_recorded_documents_load_and_both_readers_agree() -> None:
    documents = recorded()
    assert len(documents) > 200
    for path in documents:
        data = path.read_bytes()
        loaded = load(data)
        assert loaded.format.startswith("openapi-3."), path
        if loaded.tree is not None:
            assert read_fast(data, Limits()) == read_exactly(data, Limits()) == loaded.tree, path


def test_all_real_documents_load() -> None:
    documents = sorted(FOLDER.glob("real/*.xz"))
    assert len(documents) >= 7
    for path in documents:
        data = lzma.decompress(path.read_bytes())
        loaded = load(data)
        assert loaded.title, path
        assert loaded.version, path
        assert len(loaded.as_tree()["paths"]) > 50, path
        assert (loaded.raw is not None) == (".json" in path.name), path
        if loaded.tree is not None:
            assert read_exactly(data, Limits()) == loaded.tree, path
