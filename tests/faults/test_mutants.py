"""The table of planted bugs fits the code, and trying one out says what happened to it."""

from __future__ import annotations

import ast

import pytest

from tests.faults import mutants
from tests.faults.classes import CLASSES
from tests.faults.mutants import ROOT
from tests.faults.mutations import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_bug_fits_where_it_is_to_be_planted(mutant: Mutant) -> None:
    honest = (ROOT / mutant.file).read_text(encoding="utf-8")
    planted = mutant.planted_in(honest)
    assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(honest)), "another text, and another program"
    if mutant.found_by[0] == "pytest":
        assert all((ROOT / path).exists() for path in mutant.found_by[1:])
    else:
        assert set(mutant.found_by[mutant.found_by.index("--class") + 1 :]) <= set(CLASSES)


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= 16


def test_a_bug_that_the_tests_find_is_killed(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutants.main(["rounds-instead-of-flooring"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("killed   rounds instead of flooring")
    assert "tests/money/test_rules.py::" in shown[0]
    assert shown[-1] == "mutants: 1 of 1 killed"


def test_a_bug_that_nothing_notices_survives(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = MUTANTS["rounds-instead-of-flooring"]
    harmless = Mutant("harmless", rules.file, "FULL_BP = 10_000", "FULL_BP = 10_000 + 0", rules.found_by)
    monkeypatch.setattr(mutants, "MUTANTS", {"harmless": harmless})
    assert mutants.main([]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "mutants: 0 of 1 killed"


def test_an_unknown_mutant_is_refused_with_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_code:
        mutants.main(["adds-wrongly"])
    assert exit_code.value.code == 2
    assert "'adds-wrongly'; there are: rounds-instead-of-flooring" in capsys.readouterr().err
