"""docs/tiers.md: its examples run, and it names what there is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from fanyong.devtools.paths import ROOT
from tenants.promoters.jobs import CHUNK
from tenants.promoters.service import REEVALUATE_CHUNK

PAGE = (ROOT / "docs" / "tiers.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_its_examples_run() -> None:
    names: dict[str, Any] = {}
    assert len(BLOCKS) == 4
    for block in BLOCKS:
        exec(compile(block, "docs/tiers.md", "exec"), names)


def test_an_example_that_is_wrong_is_seen() -> None:
    names: dict[str, Any] = {}
    exec(BLOCKS[0], names)
    with pytest.raises(AssertionError):
        exec('assert tier("silver", shared=500_000) == "silver"', names)


def test_its_portions_are_those_of_the_jobs() -> None:
    assert PAGE.count("in portions of 200") == 2
    assert CHUNK == REEVALUATE_CHUNK == 200


def test_its_addresses_exist(app: Flask) -> None:
    known = {str(rule) for rule in app.url_map.iter_rules()}
    named = set(re.findall(r"/api/v1/[a-z/]+[a-z]", PAGE))
    assert named
    assert named <= known
