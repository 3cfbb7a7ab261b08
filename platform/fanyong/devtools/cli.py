"""The commands of `./dev`."""

from __future__ import annotations

import sys
from collections.abc import Callable

from fanyong.devtools import checks, doctor, processes, up
from fanyong.devtools.paths import Problem
from fanyong.devtools.progress import say

_COMMANDS: dict[str, tuple[str, str, Callable[[list[str]], int]]] = {
    "up": ("", "run everything until Ctrl-C; keeps its data in .data", lambda _: up.up()),
    "test": ("[PYTEST ARGS]", "run the tests on temporary servers", checks.test),
    "story": ("[FILE...] [--json]", "play story files through the public doors", up.story),
    "lint": ("", "ruff, mypy strict and the import arrows", lambda _: checks.lint()),
    "bench": ("[NAME...] [--scale F] [--json]", "measure the main paths on temporary servers", checks.bench),
    "faults": ("[--trials N]", "let things go wrong in made-up stories; nothing may be lost", checks.faults),
    "mutants": ("[NAME...]", "plant bugs in the money code; each has to be found", checks.mutants),
    "doctor": ("", "say what is wrong with this machine and how to mend it", lambda _: doctor.doctor()),
    "flask": ("ARGS", "run a flask command on the data of ./dev up", up.flask),
    "reset": ("", "stop what runs here and drop its data", lambda _: up.reset()),
}
_WITHOUT_ARGUMENTS = {"up", "lint", "doctor", "reset"}


def main(arguments: list[str]) -> int:
    """Run the command named first; return the code to exit with."""
    name, *rest = arguments or ["help"]
    if name in ("help", "-h", "--help"):
        print(usage())
        return 0
    if name not in _COMMANDS:
        say(f"There is no command {name!r}.\n\n{usage()}")
        return 2
    if rest and name in _WITHOUT_ARGUMENTS:
        say(f"./dev {name} takes no arguments, got: {' '.join(rest)}")
        return 2
    processes.handle_signals()
    try:
        with processes.orphans_adopted():
            return _COMMANDS[name][2](rest)
    except Problem as problem:
        say(f"\n{problem.what}\nWhat to do: {problem.remedy}")
        return 1
    except processes.Interrupted as interrupted:
        # A stop that was asked for is how `up` ends; for the others it means that they did not finish.
        return 0 if name == "up" else 128 + interrupted.signal_number
    finally:
        sys.stdout.flush()


def usage() -> str:
    """Return the list of commands, one line each."""
    lines = ["Usage: ./dev COMMAND", ""]
    for name, (arguments, purpose, _) in _COMMANDS.items():
        lines.append(f"  {f'{name} {arguments}'.strip():26}{purpose}")
    return "\n".join(lines)
