"""docs/compliance.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fanyong.compliance import service as compliance
from fanyong.identity.permissions import Permission

TEXT = (Path(__file__).parents[2] / "docs" / "compliance.md").read_text()


def test_it_is_about_the_policy_in_force() -> None:
    assert f"## The policy, version {compliance.POLICY_VERSION}\n" in TEXT


def test_its_levels_are_those_of_the_code() -> None:
    levels = [int(number) for number in re.findall(r"^\| (\d) \|", TEXT, re.MULTILINE)]
    assert levels == [compliance.DEFAULT_LEVELS, compliance.NOTICE_LEVELS, compliance.MAX_LEVELS]


@pytest.mark.parametrize("permission", [Permission.PLANS_WRITE, Permission.PLATFORM_WAIVE])
def test_it_names_the_permissions(permission: Permission) -> None:
    assert f"`{permission}`" in TEXT
