"""One trial: a story under a seed with one class of fault, and what came of it."""

from __future__ import annotations

import time
import traceback
from random import Random

from tests.faults.conduct import Conduct
from tests.faults.lab import Lab
from tests.faults.story import World
from tests.faults.verdict import Failure, Outcome


def run_trial(lab: Lab, kind: type[Conduct], seed: int) -> Outcome:
    """Play a story with a fault; class and seed decide everything about it."""
    started = time.monotonic()
    conduct: Conduct | None = None
    failure: Failure | None = None
    try:
        lab = kind.home(lab)
        lab.begin_trial()
        # Two sources, so that the story of a seed is the same whatever the fault draws.
        conduct = kind(lab, Random(f"fault {seed}"))
        world = World(lab, Random(f"story {seed}"), conduct)
        with conduct.trial():
            world.play()
    except Failure as error:
        failure = error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        failure = Failure("violation", f"{type(error).__name__}: {error}{_whence(error)}")
    return Outcome(
        kind.name,
        seed,
        strikes=conduct.strikes if conduct else 0,
        wrong=failure.wrong if failure else None,
        what=str(failure) if failure else "",
        recovery_ms=max(conduct.recoveries, default=None) if conduct else None,
        seconds=time.monotonic() - started,
        notes=conduct.notes if conduct else {},
    )


def _whence(error: BaseException) -> str:
    """Return where an error came from: the last places of the product or the story it passed."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    return "".join(f"\n      at {frame.name}, {frame.filename}:{frame.lineno}" for frame in frames[-3:])
