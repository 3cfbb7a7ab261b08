"""What the sources may not say, so that there is one way into a brand and one way to count money."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanyong.devtools.paths import ROOT

SOURCES = (ROOT / "platform" / "fanyong", ROOT / "tenants", ROOT / "plugins")
#: How SQL gets into a schema or a role; everybody else says `in_tenant`.
SWITCHING = re.compile(
    r"search_path|schema_translate_map|set_config|\b(?:RE)?SET\s+(?:(?:LOCAL|SESSION)\s+)?ROLE\b"
    r"|SESSION\s+AUTHORIZATION|(?<![a-z0-9_])t_(?:[0-9a-f]{8}|\{)",
    re.IGNORECASE,
)
#: Going live deletes what is append only, which the brand's own role may not do.
MAY_SWITCH = ("platform/fanyong/tenancy/", "platform/fanyong/payments/golive.py")
#: The edges, which know when a piece of work is done.
MAY_COMMIT = (
    "platform/fanyong/tenancy/database.py",
    "platform/fanyong/web/binding.py",
    "tenants/console/base.py",
    "tenants/console/views/",
    # A database of its own, without brands.
    "platform/fanyong/wechat/simulator/",
)
#: Where money is counted.
MONEY = (
    ROOT / "tenants",
    ROOT / "plugins",
    ROOT / "platform" / "fanyong" / "payments",
    ROOT / "platform" / "fanyong" / "web" / "money.py",
    ROOT / "platform" / "fanyong" / "values.py",
)
#: Shares of a hundred in a sentence to an admin; no amount is made of them.
WITH_FRACTIONS = {
    ("plugins/plan_ladder/__init__.py", "both / 100"),
    ("plugins/plan_levels/__init__.py", "total / 100"),
}


def files(*roots: Path) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of every source file."""
    for root in roots:
        for file in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            yield file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")


def switches(text: str) -> list[str]:
    """Return the lines that change schema or role."""
    return [line.strip() for line in text.splitlines() if SWITCHING.search(line)]


def endings(text: str) -> list[str]:
    """Return the calls that end a transaction."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"commit", "rollback"}
    ]


def fractions(text: str) -> list[str]:
    """Return the expressions that make or hold a floating-point number."""
    found = []
    for node in ast.walk(ast.parse(text)):
        is_literal = isinstance(node, ast.Constant) and isinstance(node.value, (float, complex))
        is_division = isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div)
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"float", "round"}
        is_type = isinstance(node, ast.Name) and node.id == "float"
        if is_literal or (is_division and not _is_path(node)) or is_call or is_type:
            found.append(ast.unparse(node))
    return found


def _is_path(node: ast.AST) -> bool:
    """Tell a path joined by a slash: one of its sides is a text."""
    sides = [node.left, node.right] if isinstance(node, ast.BinOp) else []
    return any(isinstance(side, (ast.Constant, ast.JoinedStr)) and not _is_number(side) for side in sides)


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float))


def test_only_tenancy_changes_schema_or_role() -> None:
    guilty = {
        path: lines for path, text in files(*SOURCES) if not path.startswith(MAY_SWITCH) and (lines := switches(text))
    }
    assert guilty == {}


def test_only_the_edges_end_a_transaction() -> None:
    guilty = {
        path: calls for path, text in files(*SOURCES) if not path.startswith(MAY_COMMIT) and (calls := endings(text))
    }
    assert guilty == {}


def test_money_is_counted_in_whole_numbers() -> None:
    found = {(path, expression) for path, text in files(*MONEY) for expression in fractions(text)}
    assert found - WITH_FRACTIONS == set()


def test_there_is_no_exception_that_nobody_needs() -> None:
    found = {(path, expression) for path, text in files(*MONEY) for expression in fractions(text)}
    assert found >= WITH_FRACTIONS
    paths = {path for path, _ in files(*SOURCES)}
    assert all(any(path.startswith(allowed) for path in paths) for allowed in (*MAY_SWITCH, *MAY_COMMIT))


@pytest.mark.parametrize(
    "line",
    [
        'execute("SET search_path TO x")',
        'execute("set local role x")',
        'execute("RESET ROLE")',
        'execute("SET SESSION AUTHORIZATION x")',
        "f'SELECT * FROM t_{tenant.hex}.member'",
        "connection.execution_options(schema_translate_map={})",
        "select(func.set_config('x', 'y', True))",
    ],
)
def test_a_change_of_schema_is_seen(line: str) -> None:
    assert switches(line)


@pytest.mark.parametrize("line", ["import fanyong.tenancy.context", "first_part_{x}", "set_role = 1", "text_12345678"])
def test_other_words_are_left_alone(line: str) -> None:
    assert not switches(line)


@pytest.mark.parametrize(
    "line", ["x = 0.5", "x_fen / 2", "x_fen /= 2", "float(x)", "round(x_fen)", "def f(x_fen: float): ...", "1 / 3"]
)
def test_a_fraction_is_seen(line: str) -> None:
    assert fractions(line)


@pytest.mark.parametrize("line", ["x_fen // 2", "folder / 'name'", "x = 5", "x_fen % 3"])
def test_whole_numbers_are_left_alone(line: str) -> None:
    assert not fractions(line)
