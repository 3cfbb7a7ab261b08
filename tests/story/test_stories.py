"""The stories played for real: every shipped one, the documentation's own, and one while everything is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fanyong.devtools import stack
from fanyong.devtools.paths import ROOT
from fanyong.devtools.stack import Stack
from fanyong.devtools.story.cli import Deployment, play
from fanyong.devtools.story.doors import Place
from fanyong.devtools.story.loading import load
from tests.story.conftest import STORIES, Write

OnLine = Callable[[str], None]
#: Who is killed when the player has told of which step; every second one dies while the next step is under way.
KILLS = {
    1: "worker",
    7: "postgres",
    15: "web",
    21: "simulator",
    28: "valkey",
    33: "worker",
    41: "postgres",
    47: "scheduler",
}


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """Give a whole deployment with processes of its own."""
    # Deaths of the processes are told to their parent's thread: all of this happens in one.
    with stack.temporary(fsync=False) as found:
        yield found


@pytest.fixture(scope="module")
def ends() -> dict[Path, dict[str, Any]]:
    """Give what is known of how stories end when nobody disturbs them."""
    return {}


def played(running: Stack, path: Path, *, on_line: OnLine = lambda line: None) -> tuple[dict[str, Any], list[str]]:
    """Play a story, looking after the deployment meanwhile; returns the end state and what was told."""
    settings, lines = running.environment, []
    deployment = Deployment(
        place=Place.of(settings["FANYONG_URL"]),
        simulator_url=settings["SIMULATOR_URL"],
        email=settings["SUPERADMIN_EMAIL"],
        password=settings["SUPERADMIN_PASSWORD"],
    )
    results: list[dict[str, Any]] = []

    def say(line: str) -> None:
        lines.append(line)
        on_line(line)

    player = threading.Thread(target=lambda: results.append(play(load(path), deployment, say=say)))
    player.start()
    while player.is_alive():
        running.supervisor.tick()
        time.sleep(0.02)
    assert results, "the player broke off"
    return results[0], lines


def money(end: dict[str, Any]) -> dict[str, Any]:
    """Return what two playings of a story must have in common."""
    return {
        key: {part: brand[part] for part in ("promoters", "orders", "withdrawals")}
        for key, brand in end["brands"].items()
    }


@pytest.mark.parametrize("path", sorted(STORIES.glob("*.json")), ids=lambda path: path.stem)
def test_a_shipped_story_ends_as_it_says(running: Stack, ends: dict[Path, dict[str, Any]], path: Path) -> None:
    end, lines = played(running, path)
    ends[path] = end
    assert end["ok"], "\n".join(lines)
    assert all(brand["ledger"]["ok"] for brand in end["brands"].values())


def test_the_documentation_s_own_stories_end_as_it_says(running: Stack, write: Write) -> None:
    page = (ROOT / "docs" / "story.md").read_text("utf-8")
    first, worked = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    end, lines = played(running, write(first))
    assert end["ok"], "\n".join(lines)
    shown = [line for line in page.splitlines() if re.match(r" {3}\d ", line)]
    assert [line for line in lines if re.match(r" {3}\d ", line)] == shown
    plan = {
        "plugin": "plan_levels",
        "settings": {"rates": [{"level": 1, "rate_bp": 1000}, {"level": 2, "rate_bp": 500}]},
    }
    cast = {
        "name": "The worked example",
        "brands": [{"key": "tea", "name": "茉莉茶铺", "plan": plan, "compliance": {"levels": 2}}],
        "products": [
            {"sku": "CUP", "name": "瓷杯", "price_fen": 3550},
            {"sku": "TEA", "name": "花茶", "price_fen": 9000},
        ],
        "members": [{"key": "茉莉"}, {"key": "乔木", "via": "茉莉"}, {"key": "阿竹", "via": "乔木"}],
    }
    end, lines = played(running, write({**cast, "steps": worked}))
    assert end["ok"], "\n".join(lines)


def test_everything_is_killed_and_the_story_ends_with_the_same_figures(
    running: Stack, ends: dict[Path, dict[str, Any]]
) -> None:
    path = STORIES / "refunds-to-the-debt.json"
    undisturbed = ends.get(path) or played(running, path)[0]
    killed: list[str] = []

    def kill(line: str) -> None:
        found = re.match(r" {,3}(\d+) ", line)
        name = KILLS.get(int(found[1])) if found else None
        if name is not None:
            delay = 0.1 if len(killed) % 2 else 0.0
            threading.Timer(delay, _kill, args=(running, name)).start()
            killed.append(name)

    end, lines = played(running, path, on_line=kill)
    assert end["ok"], "\n".join(lines)
    assert money(end) == money(undisturbed)
    assert killed == list(KILLS.values())


def _kill(running: Stack, name: str) -> None:
    with suppress(KeyError, ProcessLookupError):
        os.kill(running.supervisor.pids()[name], signal.SIGKILL)


def test_a_wrong_expectation_stops_the_story_and_says_expected_and_got(
    running: Stack, write: Write, tmp_path: Path
) -> None:
    story = json.loads((STORIES / "one-level.json").read_text("utf-8"))
    story["steps"][6]["estimated_fen"] = 901
    path, output = write(story), tmp_path / "end.json"
    with output.open("wb") as handle:
        command = stack.Command(
            [str(stack.venv_python()), "-m", "fanyong.devtools.story", "--json", str(path)],
            environment=running.environment,
        )
        assert running.supervisor.run(command, output=handle) == 1
    end = json.loads(output.read_text("utf-8"))
    assert not end["ok"]
    failure = end["failure"]
    assert (failure["path"], failure["expected"], failure["got"]) == ("steps[6].estimated_fen", 901, 900)
    assert end["brands"]["tea"]["promoters"]["茉莉"]["pending_fen"] == 900
    assert end["brands"]["tea"]["orders"]["A"]["state"] == "paid"


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ({"do": "ship", "order": "A"}, "steps[1] (ship)"),
        ({"do": "pay", "order": "A", "expect_error": "already_paid"}, "steps[1].expect_error"),
        ({"do": "ship", "order": "A", "expect_error": "out_of_stock"}, "steps[1].expect_error"),
        ({"do": "set_plan", "plugin": "plan_none"}, "steps[1] (set_plan)"),
        ({"do": "expect", "order": "A", "awards": [{"beneficiary": "乔木"}]}, "steps[1].awards[0]"),
    ],
    ids=["refused", "not refused", "refused otherwise", "unknown plugin", "no such award"],
)
def test_what_goes_otherwise_names_its_step(running: Stack, write: Write, step: dict[str, Any], path: str) -> None:
    order = {"do": "order", "member": "乔木", "as": "A", "lines": [{"sku": "TEA"}]}
    story = {
        "name": "otherwise",
        "brands": [{"key": "tea", "name": "Tea"}],
        "products": [{"sku": "TEA", "name": "Tea", "price_fen": 100}],
        "members": [{"key": "乔木"}],
        "steps": [order, step],
    }
    end, _ = played(running, write(story))
    assert not end["ok"]
    assert end["failure"]["path"] == path


def test_a_brand_that_cannot_be_set_up_names_it(running: Stack, write: Write) -> None:
    plan = {"plugin": "plan_levels", "settings": {"rates": [{"level": 2, "rate_bp": 500}]}}
    end, _ = played(running, write({"name": "no notice", "brands": [{"key": "tea", "name": "Tea", "plan": plan}]}))
    assert (end["failure"]["path"], "too_many_levels" in end["failure"]["got"]) == ("brands[0]", True)
