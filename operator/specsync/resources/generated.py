"""Files that are generated from the models: written, or checked against what would be written."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def main(
    module: str,
    description: str | None,
    default: Path,
    files: Callable[[Path], Mapping[Path, str]],
    arguments: Sequence[str] | None = None,
    *,
    is_folder: bool = False,
) -> int:
    """The command line of the generator `module`: writes `files`, or with `--check` says what differs. The exit code.

    `files` gets the path where to write: a file, or a folder in which nothing else may stand.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file would change")
    parser.add_argument("path", type=Path, nargs="?", default=default, help="default: %(default)s")
    options = parser.parse_args(arguments)
    wanted = files(options.path)
    if not options.check:
        _write(wanted)
        return 0
    found = _differences(wanted, options.path if is_folder else None)
    for line in found:
        print(line, file=sys.stderr)
    if found:
        print(f"Run: python -m {module}", file=sys.stderr)
    return 1 if found else 0


def _differences(files: Mapping[Path, str], whole_folder: Path | None) -> list[str]:
    """What keeps the files on disk from being `files`, one sentence each; empty when nothing does."""
    found = []
    for path, content in files.items():
        if not path.is_file():
            found.append(f"{path} is missing")
        elif path.read_text(encoding="utf-8") != content:
            found.append(f"{path} differs from the models")
    if whole_folder is not None:
        found += [f"{path} belongs to no kind" for path in sorted(whole_folder.glob("*")) if path not in files]
    return found


def _write(files: Mapping[Path, str]) -> None:
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
