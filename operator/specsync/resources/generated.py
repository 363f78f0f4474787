"""Files that are generated from the models: written, or checked against what would be written."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path


def differences(files: Mapping[Path, str], whole_folder: Path | None = None) -> list[str]:
    """What keeps the files on disk from being `files`, one sentence each; empty when nothing does.

    In `whole_folder`, where one is given, no other file may stand.
    """
    found = []
    for path, content in files.items():
        if not path.is_file():
            found.append(f"{path} is missing")
        elif path.read_text(encoding="utf-8") != content:
            found.append(f"{path} differs from the models")
    if whole_folder is not None:
        found += [f"{path} belongs to no kind" for path in sorted(whole_folder.glob("*")) if path not in files]
    return found


def write(files: Mapping[Path, str]) -> None:
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def parser(module: str, description: str | None, *, default: Path) -> argparse.ArgumentParser:
    """The command line of a generator: where to write, or `--check`."""
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    made.add_argument("--check", action="store_true", help="write nothing; fail when a file would change")
    made.add_argument("path", type=Path, nargs="?", default=default, help="default: %(default)s")
    return made


def report(found: list[str], module: str) -> int:
    """Say on standard error what differs and how to mend it; the exit code."""
    for line in found:
        print(line, file=sys.stderr)
    if found:
        print(f"Run: python -m {module}", file=sys.stderr)
    return 1 if found else 0
