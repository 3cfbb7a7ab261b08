"""Run fault trials: `python -m tests.faults`; `./dev faults` starts the servers for it."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time

from tests.faults import report
from tests.faults.classes import CLASSES
from tests.faults.playing import play, say
from tests.faults.schedule import tickets

#: What a run without arguments does; about eight minutes on two cores.
TRIALS = 1_000
PROCESSES = 2


def main(arguments: list[str]) -> int:
    """Run trials and print what became of them; 1 when one of them failed."""
    given = parse(arguments)
    planned = tickets(trials=given.trials, seed=given.seed, names=given.classes)
    say(f"{len(planned)} trials from seed {given.seed} on, {min(PROCESSES, len(planned))} processes")
    started = time.monotonic()
    outcomes = play(planned, processes=min(PROCESSES, len(planned)))
    print(report.as_json(outcomes) if given.json else report.as_text(outcomes))
    say(f"{time.monotonic() - started:.0f} s")
    lost = len(planned) - len(outcomes)
    if lost:
        say(f"{lost} trials were never played: a process of the run died")
    return 1 if lost or any(outcome.wrong for outcome in outcomes) else 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="./dev faults", description="Play shop stories in which something goes wrong."
    )
    parser.add_argument("--trials", type=int, default=TRIALS, metavar="N", help=f"how many (default {TRIALS:,})")
    parser.add_argument("--seed", type=int, default=None, metavar="S", help="the seed of the first (default: drawn)")
    parser.add_argument("--class", dest="classes", nargs="+", default=[], metavar="NAME", help=", ".join(CLASSES))
    parser.add_argument("--json", action="store_true", help="one class a line, for machines")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.classes if name not in CLASSES]
    if unknown:
        parser.error(f"there is no class {unknown[0]!r}; there are: {', '.join(CLASSES)}")
    if given.trials < 1:
        parser.error("--trials: at least one")
    if not os.environ.get("TEST_DATABASE_URL") or not os.environ.get("TEST_REDIS_URL"):
        parser.error("run it with ./dev faults, which starts the servers it needs")
    if given.seed is None:
        given.seed = secrets.randbelow(10**6)
    return given


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
