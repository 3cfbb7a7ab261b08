"""Pages of a team against the tree itself."""

from __future__ import annotations

import random
from uuid import UUID

import pytest

from tenants.promoters import team
from tests.money.parts import Till


@pytest.fixture
def tree(till: Till) -> tuple[Till, UUID, dict[UUID, int]]:
    """A root and everybody below it with their level, and some who are not."""
    rng = random.Random(7)
    root = till.member("root")
    levels = {root: 0}
    for number in range(60):
        parent = rng.choice(list(levels))
        levels[till.member(f"m{number}", under=parent)] = levels[parent] + 1
    stranger = till.member("stranger")
    till.member("theirs", under=stranger)
    with till.inside():
        while team.count_teams():
            pass
    del levels[root]
    return till, root, levels


def all_pages(root: UUID, **how: object) -> list[team.TeamMember]:
    found: list[team.TeamMember] = []
    after = None
    while True:
        page = team.team_page(root, after=after, limit=7, **how)  # type: ignore[arg-type]
        found += page.items
        after = page.after
        if after is None:
            return found


def test_pages_show_everybody_once_the_newest_first(tree: tuple[Till, UUID, dict[UUID, int]]) -> None:
    till, root, levels = tree
    with till.work():
        for level in (1, 2, 3):
            rows = all_pages(root, level=level)
            wanted = sorted((m for m, depth in levels.items() if depth == level), reverse=True)
            assert [row.member_id for row in rows] == wanted
            assert {row.level for row in rows} <= {level}
            assert team.size(root, level=level) == len(wanted)
        near = all_pages(root)
        assert [row.member_id for row in near] == sorted((m for m, d in levels.items() if d <= 3), reverse=True)
        assert {row.member_id: row.level for row in near} == {m: d for m, d in levels.items() if d <= 3}
        deep = all_pages(root, deeper=True)
        assert {row.member_id: row.level for row in deep} == {m: d for m, d in levels.items() if d > 3}
        assert len(deep) > 3
        totals = team.team_totals(root)
        assert totals.members == len(levels)
        assert totals.deeper == len(deep) == team.size(root, deeper=True)


def test_a_search_and_an_offset_keep_to_the_team(tree: tuple[Till, UUID, dict[UUID, int]]) -> None:
    till, root, levels = tree
    with till.work():
        assert {row.nickname for row in all_pages(root, search="m1")} <= {"m1", *(f"m1{n}" for n in range(10))}
        assert all_pages(root, search="stranger") == []
        assert all_pages(root, search="theirs") == []
        everybody = all_pages(root)
        page = team.team_page(root, offset=5, limit=4)
        assert [row.member_id for row in page.items] == [row.member_id for row in everybody[5:9]]
        assert team.team_page(root, offset=len(levels)).items == []


def test_a_large_team_is_as_large_as_the_job_has_counted(
    tree: tuple[Till, UUID, dict[UUID, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    till, root, levels = tree
    monkeypatch.setattr(team, "COUNTED", 2)
    with till.work():
        assert team.size(root) == sum(1 for level in levels.values() if level <= 3)
        assert team.size(root, level=1) == sum(1 for level in levels.values() if level == 1)
        assert team.size(root, deeper=True) == sum(1 for level in levels.values() if level > 3)
