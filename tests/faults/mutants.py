"""Plant one bug after the other in a copy of the checkout: `python -m tests.faults.mutants [--json] [NAME...]`.

Each has to be found by the small selection of tests, or the few fault trials, that its row names; what the selection
says of the unchanged code is asked first, so that a selection that fails anyway proves nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import Literal

from tests.faults.mutations import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("docs", "migrations", "platform", "plugins", "tenants", "tests", "pyproject.toml", "setup.cfg", "wsgi.py")
_NOT_COPIED = shutil.ignore_patterns("node_modules")
_SECONDS = 600

Verdict = Literal["killed", "survived", "broken"]
#: What a selection said, with the test or trial that failed first.
Answer = tuple[Verdict, str]


@dataclass(frozen=True)
class Result:
    """What became of one mutant."""

    name: str
    verdict: Verdict
    seconds: float
    said: str


def main(arguments: list[str]) -> int:
    """Try mutants and print what became of them; 1 when one survived."""
    parser = argparse.ArgumentParser(prog="./dev mutants", description="Plant bugs in the money code, one at a time.")
    parser.add_argument("--json", action="store_true", help="one mutant a line, for machines")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MUTANTS))
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in MUTANTS]
    if unknown:
        parser.error(f"there is no mutant {unknown[0]!r}; there are: {', '.join(MUTANTS)}")
    chosen = [MUTANTS[name] for name in given.names or MUTANTS]
    with copied() as copy:
        baseline: dict[tuple[str, ...], Answer] = {}
        results = [show(attempt(copy, mutant, baseline), as_json=given.json) for mutant in chosen]
    killed = sum(result.verdict == "killed" for result in results)
    print(f"mutants: {killed} of {len(results)} killed")
    return 0 if killed == len(results) else 1


def attempt(copy: Path, mutant: Mutant, baseline: dict[tuple[str, ...], Answer]) -> Result:
    """Plant one bug, ask its selection, and take it out again; `baseline` keeps what each says without any bug."""
    started = time.monotonic()
    if mutant.found_by not in baseline:
        baseline[mutant.found_by] = ask(copy, mutant.found_by)
    verdict, said = baseline[mutant.found_by]
    if verdict != "survived":
        return Result(mutant.name, "broken", round(time.monotonic() - started, 1), f"fails without the bug: {said}")
    file = copy / mutant.file
    honest = file.read_text(encoding="utf-8")
    write(file, mutant.planted_in(honest))
    try:
        verdict, said = ask(copy, mutant.found_by)
    finally:
        write(file, honest)
    return Result(mutant.name, verdict, round(time.monotonic() - started, 1), said)


def write(file: Path, text: str) -> None:
    """Write a source file and forget what was compiled of it: a change within a second can look like none."""
    file.write_text(text, encoding="utf-8")
    Path(cache_from_source(str(file))).unlink(missing_ok=True)


def ask(copy: Path, selection: Sequence[str]) -> Answer:
    """Run a selection in the copy; an error that is no failed test or trial means that the bug could not be tried."""
    environment = os.environ | {"PYTHONPATH": f"{copy}:{copy / 'platform'}"}
    argv = [sys.executable, "-m", *selection]
    if selection[0] == "pytest":
        argv += ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        argv, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    if done.returncode == 0:
        return "survived", ""
    found = re.search(r"^FAILED (\S+)|^\s+([\w-]+: (?:double|loss|stuck|violation): .*)", done.stdout, re.MULTILINE)
    if done.returncode == 1 and found:
        return "killed", next(filter(None, found.groups()))
    return "broken", " ".join((done.stdout + done.stderr)[-600:].split())


def show(result: Result, *, as_json: bool) -> Result:
    """Print a line about a mutant."""
    if as_json:
        print(json.dumps(vars(result)), flush=True)
    else:
        print(f"{result.verdict:9}{result.name:38}{result.seconds:6.0f} s  {result.said[:400]}", flush=True)
    return result


@contextmanager
def copied() -> Iterator[Path]:
    """Give a copy of the checkout that may be changed."""
    with tempfile.TemporaryDirectory(prefix="fanyong-mutants-") as name:
        copy = Path(name)
        for part in _COPIED:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, copy / part, ignore=_NOT_COPIED)
            else:
                shutil.copy2(ROOT / part, copy / part)
        yield copy


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
