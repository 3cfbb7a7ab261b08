"""A mistake in a story file is found before anything is played, and says where it is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fanyong.devtools.story import cli
from fanyong.devtools.story.loading import Mistake, files, load
from fanyong.devtools.story.steps import STEP_MODELS

Write = Callable[[Any], Path]

GOOD: dict[str, Any] = {
    "name": "good",
    "brands": [{"key": "tea", "name": "茉莉茶铺"}],
    "products": [{"sku": "TEA", "name": "茶", "price_fen": 9000}],
    "members": [{"key": "茉莉"}, {"key": "乔木", "via": "茉莉"}],
    "steps": [
        {"do": "share", "by": "茉莉", "sku": "TEA", "as": "link"},
        {"do": "order", "member": "乔木", "as": "A", "lines": [{"sku": "TEA", "quantity": 2}], "via_share": "link"},
        {"do": "pay", "order": "A"},
        {"do": "refund", "order": "A", "lines": [{"line": 0, "quantity": 1}]},
        {"do": "withdraw", "member": "茉莉", "amount_fen": 900, "as": "W"},
        {"do": "expect", "withdrawal": "W", "state": "requested"},
    ],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the good story with one value changed: `steps.1.lines.0.sku`."""
    story = copy.deepcopy(GOOD)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    target: Any = story
    for part in parents:
        target = target[part]
    if isinstance(target, list) and last == len(target):
        target.append(value)
    else:
        target[last] = value
    return story


def test_a_good_story_names_its_one_brand_everywhere(write: Write) -> None:
    story = load(write(GOOD))
    assert {part.brand for part in (*story.products, *story.members, *story.steps)} == {"tea"}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("colour", "red", "colour: there is no such field; allowed: name, note, brands"),
        ("brands", [], "brands: "),
        ("brands.0.key", 5, "brands[0].key: 5"),
        ("brands.0.compliance", {"levels": 4}, "brands[0].compliance.levels: 4"),
        (
            "brands.0.settlement",
            {"windows_day": 1},
            "brands[0].settlement.windows_day: there is no such field; allowed: trigger, window_days, working_days",
        ),
        ("brands.0.subdomain", "Tea!", "brands[0].subdomain: "),
        ("products.0.price_fen", 90.0, "products[0].price_fen: 90.0 is not a whole number of fen"),
        ("products.0.price_fen", "9000", 'products[0].price_fen: "9000" is not a whole number of fen'),
        ("products.0.price_fen", True, "products[0].price_fen: true is not a whole number of fen"),
        ("products.0.brand", "soap", "products[0].brand: there is no brand 'soap'; known: tea"),
        ("members.1.via", "谁", "members[1].via: there is no member '谁'; known: 茉莉, 乔木"),
        ("members.0.via", "乔木", "members[0].via: '茉莉' would have come through themselves"),
        ("members.2", {"key": "茉莉"}, "members[2].key: '茉莉' stands here twice"),
        ("steps.0.do", "shere", "steps[0].do: 'shere' is no step; allowed: join, share, order"),
        ("steps.0", {"by": "茉莉"}, "steps[0].do: is missing; allowed: join"),
        ("steps.0", "share", "steps[0]: an object {...} is needed, not a text"),
        ("steps.0.sku", "TEE", "steps[0].sku: there is no product 'TEE'; known: TEA"),
        ("steps.1.lines.0.sku", "TEE", "steps[1].lines[0].sku: there is no product 'TEE'; known: TEA"),
        ("steps.1.lines.0.sku", 7, "steps[1].lines[0].sku: 7"),
        ("steps.1.lines.0.count", 7, "steps[1].lines[0].count: there is no such field; allowed: sku, quantity"),
        ("steps.1.lines.1", {"sku": "TEA"}, "steps[1].lines[1].sku: 'TEA' stands here twice"),
        ("steps.1.coupon_fen", 1.5, "steps[1].coupon_fen: 1.5 is not a whole number of fen"),
        ("steps.1.via_share", "other", "steps[1].via_share: there is no share so far, or member 'other'"),
        ("steps.1.as", "B", "steps[2].order: there is no order so far 'A'; known: B"),
        ("steps.2.order", "Z", "steps[2].order: there is no order so far 'Z'; known: A"),
        ("steps.2.payer", "谁", "steps[2].payer: there is no member '谁'"),
        ("steps.3.lines.0.line", 1, "steps[3].lines[0].line: order 'A' has the lines 0 to 0"),
        ("steps.3.lines.0.sku", "TEA", "steps[3].lines[0]: name the line by its sku or by its number"),
        ("steps.3.lines", [], "steps[3].lines: nothing to refund"),
        ("steps.4.member", "谁", "steps[4].member: there is no member '谁'"),
        ("steps.5.state", "done", "steps[5]: state: 'done' is none of requested, held, approved"),
        (
            "steps.5.stock",
            1,
            "steps[5]: stock: not known of a withdrawal; allowed: state, amount_fen, tax_fen, fee_fen",
        ),
        ("steps.5.member", "茉莉", "steps[5]: one subject a step, not member and withdrawal"),
        ("steps.5.expect_error", "x", "steps[5].expect_error: an expectation looks and does nothing"),
        ("steps.6", {"do": "expect", "member": "茉莉"}, "steps[6]: nothing to compare; allowed: estimated_fen"),
        ("steps.6", {"do": "advance"}, "steps[6]: say how far"),
        ("steps.6", {"do": "withdraw", "by": "茉莉", "amount_fen": 1, "as": "W"}, "steps[6].as: the name 'W' is taken"),
        (
            "steps.6",
            {"do": "approve", "withdrawal": "V"},
            "steps[6].withdrawal: there is no withdrawal so far 'V'; known: W",
        ),
    ],
)
def test_a_mistake_names_the_file_the_path_and_what_is_allowed(
    write: Write, path: str, value: Any, expected: str
) -> None:
    file = write(changed(path, value))
    with pytest.raises(Mistake) as mistake:
        load(file)
    assert f"{file}: {expected}" in str(mistake.value)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"do": "invite", "tier": "gold"}, "steps[6].as: is missing"),
        ({"do": "accept_invitation", "member": "乔木", "invitation": "I"}, "there is no invitation so far 'I'"),
        ({"do": "apply", "member": "谁"}, "steps[6].member: there is no member '谁'"),
        ({"do": "appoint_agent", "member": "茉莉", "region": "3205055"}, "steps[6].region"),
        ({"do": "bank_results", "batch": "B", "results": [{"withdrawal": "W"}]}, "there is no batch so far 'B'"),
        (
            {"do": "bank_results", "batch": "B", "results": [{"withdrawal": "V"}]},
            "steps[6].results[0].withdrawal: there is no withdrawal so far 'V'",
        ),
        ({"do": "set_tax_policy", "method": "flat"}, "steps[6].method"),
        ({"do": "write_off", "member": "茉莉", "amount_fen": 0}, "steps[6].amount_fen"),
    ],
)
def test_a_mistake_about_joining_or_payouts_is_found(write: Write, step: dict[str, Any], expected: str) -> None:
    with pytest.raises(Mistake) as mistake:
        load(write(changed("steps.6", step)))
    assert expected in str(mistake.value)


def test_all_mistakes_are_told_at_once(write: Write) -> None:
    story = changed("steps.2.order", "Z")
    story["steps"][4]["member"] = "谁"
    with pytest.raises(Mistake) as mistake:
        load(write(story))
    assert [line.split(": ")[1] for line in str(mistake.value).splitlines()] == ["steps[2].order", "steps[4].member"]


def test_every_step_knows_its_fields(write: Write) -> None:
    for name in STEP_MODELS:
        with pytest.raises(Mistake, match=r"steps\[0\]\.nonsense: there is no such field; allowed: .*brand, do, note"):
            load(write(changed("steps.0", {"do": name, "nonsense": 1})))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{\n  "name": "x",\n  "brands": [}\n}', ":3:14: not JSON"),
        ('{"name": "x", "name": "y"}', ": an object has the field 'name' twice"),
        ('{"name": NaN}', ": NaN is no number of JSON"),
        ("[]", ": (whole file): a story is one object {...}, not a list"),
        ("{}", ": brands: is missing"),
        ("[" * 100_000, ": "),
    ],
)
def test_what_is_not_a_story_says_so_with_its_line(write: Write, text: str, expected: str) -> None:
    file = write(text)
    with pytest.raises(Mistake) as mistake:
        load(file)
    assert f"{file}{expected}" in str(mistake.value)


def test_with_several_brands_each_step_names_its_own(write: Write) -> None:
    with pytest.raises(Mistake, match=r"steps\[0\]\.brand: is missing"):
        load(write(changed("brands.1", {"key": "soap", "name": "Soap"})))


def test_two_brands_cannot_have_one_key(write: Write) -> None:
    brands = [{"key": "tea", "name": "Tea"}, {"key": "tea", "name": "Soap"}]
    with pytest.raises(Mistake, match=r"brands\[1\]\.key: 'tea' stands here twice"):
        load(write({"name": "twice", "brands": brands}))


def test_a_refused_order_may_name_goods_that_do_not_exist(write: Write) -> None:
    order = {"do": "order", "member": "乔木", "lines": [{"sku": "TEE"}], "expect_error": "unknown_product"}
    assert load(write(changed("steps.6", order)))


def test_a_folder_means_its_stories(write: Write, tmp_path: Path) -> None:
    file = write(GOOD)
    assert files([tmp_path]) == [file]
    (tmp_path / "empty").mkdir()
    with pytest.raises(Mistake, match="holds no story"):
        files([tmp_path / "empty"])
    with pytest.raises(Mistake, match="no such file"):
        files([tmp_path / "missing.json"])


def test_the_command_ends_with_2_before_it_asks_anybody(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["--json", str(write(changed("steps.2.order", "Z")))]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "steps[2].order" in shown.err
    monkeypatch.delenv("FANYONG_URL", raising=False)
    assert cli.main([str(write(GOOD))]) == 2
    assert "FANYONG_URL" in capsys.readouterr().err
