"""The command: read the files, play them one after the other, say how it went."""

from __future__ import annotations

import argparse
import json
import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fanyong.devtools.paths import ROOT
from fanyong.devtools.progress import say as say_aside
from fanyong.devtools.story.console import Superadmin
from fanyong.devtools.story.doors import Place, Refused, Unreachable
from fanyong.devtools.story.expectations import Unmet
from fanyong.devtools.story.format import Story
from fanyong.devtools.story.loading import Mistake, files, load
from fanyong.devtools.story.outcome import end_state
from fanyong.devtools.story.player import Player, Say, StepFailed
from fanyong.devtools.story.sandbox import Sandbox
from fanyong.devtools.story.stage import BrandExists
from fanyong.devtools.story.telling import balances

PLAYED, NOT_SO, CANNOT_PLAY = 0, 1, 2
_SHIPPED = ROOT / "docs" / "stories"
_SETTINGS = ("FANYONG_URL", "SIMULATOR_URL", "SUPERADMIN_EMAIL", "SUPERADMIN_PASSWORD")


@dataclass(frozen=True)
class Deployment:
    """Where the stories are played, and the log-in of the platform's staff there."""

    place: Place
    simulator_url: str
    email: str
    password: str

    @classmethod
    def of_environment(cls) -> Deployment:
        """Return what the environment names; raises Mistake for what is missing."""
        missing = [name for name in _SETTINGS if not os.environ.get(name)]
        if missing:
            raise Mistake(f"{', '.join(missing)}: not set. `./dev story FILE` sets them, and starts what is needed.")
        url, simulator, email, password = (os.environ[name] for name in _SETTINGS)
        return cls(Place.of(url), simulator, email, password)


def main(arguments: list[str]) -> int:
    """Play the stories that the command line names; returns 0, 1 for a wrong figure, 2 for what cannot be played."""
    options = _options(arguments)
    say: Say = say_aside if options.json else _say
    try:
        stories = _stories(options.files)
        deployment = Deployment.of_environment()
    except Mistake as mistake:
        say_aside(str(mistake))
        return CANNOT_PLAY
    code, results = PLAYED, []
    for path, story in stories:
        say(f"{story.name} ({path})")
        try:
            result = play(story, deployment, say=say)
        except BrandExists as error:
            say_aside(f"{path}: {error}")
            return CANNOT_PLAY
        results.append(result)
        code = code if result["ok"] else NOT_SO
    if options.json:
        one = len(options.files) == 1 and not options.files[0].is_dir()
        print(json.dumps(results[0] if one else results, ensure_ascii=False, indent=2))
    return code


def _stories(named: list[Path]) -> list[tuple[Path, Story]]:
    """Return the stories to play; with none named, the shipped ones that can be played again and again."""
    stories = [(path, load(path)) for path in files(named or [_SHIPPED])]
    if named:
        return stories
    return [(path, story) for path, story in stories if not any(brand.subdomain for brand in story.brands)]


def play(story: Story, deployment: Deployment, *, say: Say) -> dict[str, Any]:
    """Play a story and return its end state; raises BrandExists."""
    with closing(Sandbox(deployment.simulator_url)) as sandbox, closing(Superadmin(deployment.place)) as superadmin:
        player = Player(story, place=deployment.place, sandbox=sandbox, superadmin=superadmin, say=say)
        with closing(player):
            failure = _play(player, deployment, superadmin)
            if failure is not None:
                say(f"     NOT SO  {failure['text']}")
            return _end(player, failure, say=say)


def _play(player: Player, deployment: Deployment, superadmin: Superadmin) -> dict[str, Any] | None:
    """Play, and return what stopped the story, if anything did."""
    try:
        superadmin.log_in(email=deployment.email, password=deployment.password)
        player.play()
    except Unmet as error:
        return {"path": error.path, "expected": error.expected, "got": error.got, "text": str(error)}
    except StepFailed as error:
        return {"path": error.path, "expected": "done", "got": error.what, "text": str(error)}
    except (Refused, Unreachable) as error:
        return {"path": "", "expected": "an answer", "got": str(error), "text": str(error)}
    return None


def _end(player: Player, failure: dict[str, Any] | None, *, say: Say) -> dict[str, Any]:
    """Tell and return the end state, as far as the story came."""
    ledgers = {}
    try:
        for key, stage in player.stages.items():
            ledgers[key] = stage.console.check_ledger()
        result = end_state(player, ledgers=ledgers, failure=failure)
    except (Refused, Unreachable) as error:
        say(f"     the end state cannot be read: {error}")
        failure = failure or {"path": "", "expected": "an end state", "got": str(error), "text": str(error)}
        return {"story": player.story.name, "ok": False, "failure": failure, "brands": {}}
    for brand in result["brands"].values():
        for line in balances(brand["name"], brand["promoters"]):
            say(line)
        ledger = brand["ledger"]
        say(f"  ledger check: {'ok' if ledger['ok'] else 'NOT OK'}")
        for problem in ledger["problems"]:
            say(f"    {problem}")
    return result


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev story", description="Play story files through the public doors and check every figure."
    )
    parser.add_argument("--json", action="store_true", help="print nothing but the end state, as JSON")
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="a story, or a folder of them; all of docs/stories without"
    )
    return parser.parse_args(arguments)


def _say(text: str) -> None:
    print(text, flush=True)
