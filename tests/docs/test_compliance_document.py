"""docs/compliance.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fanyong.compliance import service as compliance
from fanyong.compliance.policies import POLICIES
from fanyong.identity.permissions import Permission
from fanyong.web.money import yuan

TEXT = (Path(__file__).parents[2] / "docs" / "compliance.md").read_text()


def test_it_is_about_the_policy_in_force() -> None:
    assert f"## The policy, version {compliance.POLICY_VERSION}\n" in TEXT


def test_its_levels_are_those_of_the_code() -> None:
    levels = [int(number) for number in re.findall(r"^\| (\d) \|", TEXT, re.MULTILINE)]
    assert levels == [compliance.DEFAULT_LEVELS, compliance.NOTICE_LEVELS, compliance.MAX_LEVELS]


@pytest.mark.parametrize("permission", [Permission.PLANS_WRITE, Permission.PLATFORM_WAIVE])
def test_it_names_the_permissions(permission: Permission) -> None:
    assert f"`{permission}`" in TEXT


def test_it_names_every_refusal() -> None:
    for error in compliance.NotAllowed.__subclasses__():
        assert f"`{error.code}`" in TEXT


def test_it_lists_every_version_with_its_limits() -> None:
    for policy in POLICIES:
        (row,) = re.findall(rf"^\| {policy.version} \|.*$", TEXT, re.MULTILINE)
        assert f"{policy.default_levels}, {policy.notice_levels}, {policy.max_levels}" in row
        for limit in (policy.entry_free_fen, policy.entry_notice_fen):
            assert limit is None or yuan(limit).removesuffix(".00") in row
