"""docs/plugins.md: its examples run, its signatures and tables are the code's."""

from __future__ import annotations

import inspect
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from flask import Flask
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fanyong.devtools.paths import ROOT
from fanyong.hooks import HookSpecs, Plugin
from fanyong.pluginhost.registry import GROUP, REQUIRED_HOOKS, PluginRegistry, registry

PAGE = ROOT / "docs" / "plugins.md"
HOOKS = [name for name, value in vars(HookSpecs).items() if inspect.isfunction(value)]
BUILT_IN = (
    "tiers_flat",
    "tiers_ladder",
    "tiers_roles",
    "plan_levels",
    "plan_ladder",
    "plan_rules",
    "payout_wechat",
    "payout_bank",
    "payout_offline",
)


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def sections() -> dict[str, str]:
    """Return the text under each heading of the third level."""
    parts = re.split(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(scope="module")
def run_examples() -> dict[str, Any]:
    """Run every Python block of the page, one after the other, and return what they define."""
    names: dict[str, Any] = {"__name__": "plan_simple"}
    for block in blocks("python"):
        exec(compile(block, str(PAGE), "exec"), names)
    return names


def test_the_examples_run_and_are_plugins(run_examples: dict[str, Any]) -> None:
    assert len(blocks("python")) >= len(HOOKS)
    fresh = PluginRegistry()
    for example in (run_examples["plugin"], run_examples["club"]):
        assert isinstance(example, Plugin)
        fresh.register(example)
    assert [plugin.name for plugin in fresh.plugins()] == ["plan_simple", "tiers_club"]


def test_the_examples_answer_through_the_registry_as_the_page_says(run_examples: dict[str, Any]) -> None:
    fresh = PluginRegistry()
    fresh.register(run_examples["plugin"])
    settings = run_examples["Settings"](rate_bp=250)
    proposals = fresh.call("plan_simple", "propose_awards", settings=settings, facts=run_examples["facts"])
    assert [proposal.rate_bp for proposal in proposals] == [250]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_section_with_its_signature_and_an_example(hook: str) -> None:
    text = sections()[f"`{hook}`"]
    shown = re.search(r"^```text\n(\w+)\((.*)\) -> (.+)\n```$", text, re.MULTILINE)
    assert shown, f"{hook} is shown without its signature"
    signature = inspect.signature(getattr(HookSpecs, hook))
    arguments = [name for name in signature.parameters if name != "self"]
    assert shown[1] == hook
    assert [argument.split(":")[0].strip() for argument in shown[2].split(", ")] == arguments
    assert shown[3] == signature.return_annotation
    for argument in shown[2].split(", "):
        name, _, annotation = argument.partition(": ")
        assert annotation in ("", signature.parameters[name].annotation)
    assert "```python" in text
    assert f".{hook}(" in text


def test_the_page_has_no_hook_that_does_not_exist() -> None:
    named = {title.strip("`") for title in sections() if "(plugin)" not in title}
    assert named - set(BUILT_IN) | {"plan_levels"} == set(HOOKS)


def test_the_page_says_which_hooks_each_kind_needs() -> None:
    for kind, hooks in REQUIRED_HOOKS.items():
        for hook in hooks:
            assert f"Needed by the kind `{kind}`" in " ".join(sections()[f"`{hook}`"].split())
    assert "Optional." in sections()["`check_settings`"]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_named_by_a_test_of_its_own(hook: str) -> None:
    tests = [file for file in (ROOT / "tests").rglob("test_*.py") if file != Path(__file__)]
    pattern = re.compile(rf"def test_\w*{hook}\w*\(")
    assert any(pattern.search(file.read_text(encoding="utf-8")) for file in tests), f"no test is called after {hook}"


def test_the_table_of_attributes_is_complete() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition("## What a plugin declares")[2].partition("## Settings")[0]
    named = {name for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    # What only has to be readable is a property there.
    properties = {name for name, value in vars(Plugin).items() if isinstance(value, property)}
    assert named == set(Plugin.__annotations__) | properties


def test_the_package_is_found_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = tomllib.loads(blocks("toml")[0])["project"]["entry-points"]
    assert declared == {GROUP: {"plan_simple": "plan_simple:plugin"}}
    (tmp_path / "plan_simple.py").write_text(blocks("python")[0], encoding="utf-8")
    info = tmp_path / "fanyong_plan_simple-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fanyong-plan-simple\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nplan_simple = plan_simple:plugin\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = PluginRegistry()
    found.load_entry_points()
    monkeypatch.delitem(sys.modules, "plan_simple")
    names = [plugin.name for plugin in found.plugins()]
    assert "plan_simple" in names
    assert names == sorted(names)
    assert set(BUILT_IN) <= set(names)


def rows(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield a row of the table for every field of a settings model, with the rows of its lists."""
    for name, info in model.model_fields.items():
        meaning = ": ".join(str(text).rstrip(".") for text in (info.title, info.description) if text)
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield f"| `{prefix}{name}` | {meaning} | | a section |"
            yield from rows(info.annotation, f"{prefix}{name}.")
            continue
        default = "-" if info.is_required() else f"`{_text(info.get_default(call_default_factory=True))}`"
        yield f"| `{prefix}{name}` | {meaning} | {default} | {_allowed(info)} |"
        if get_origin(info.annotation) is list:
            yield from rows(get_args(info.annotation)[0], f"{prefix}{name}[].")


def _text(value: Any) -> str:
    plain = [item.model_dump() for item in value] if isinstance(value, list) else value
    return json.dumps(plain, ensure_ascii=False)


def _allowed(info: FieldInfo) -> str:
    words = []
    if get_origin(info.annotation) is Literal:
        words.append(", ".join(f"`{value}`" for value in get_args(info.annotation)))
    if info.annotation is bool:
        words.append("`true`, `false`")
    limits = {type(part).__name__: part for part in info.metadata}
    if "Ge" in limits and "Le" in limits:
        words.append(f"{limits['Ge'].ge:,} to {limits['Le'].le:,}")
    if "MinLen" in limits or "MaxLen" in limits:
        is_list = get_origin(info.annotation) is list
        least = limits["MinLen"].min_length if "MinLen" in limits else 0
        words.append(f"{least} to {limits['MaxLen'].max_length} {'rows' if is_list else 'characters'}")
    patterns = [part.pattern for part in info.metadata if getattr(part, "pattern", None)]
    words += [f"`{pattern}`" for pattern in patterns]
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    words += [{"fen": "fen", "bp": "basis points"}[str(extra["unit"])]] if "unit" in extra else []
    words += ["a tier of the brand, or empty for all"] if "choices" in extra else []
    return ", ".join(words)


def table(name: str) -> str:
    """Return the table of a built-in plugin's settings."""
    plugin = next(plugin for plugin in registry.plugins() if plugin.name == name)
    return "\n".join(("| setting | meaning | default | allowed |", "|---|---|---|---|", *rows(plugin.settings_model)))


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_tables_of_the_built_in_plugins_are_the_models(app: Flask, name: str) -> None:
    wanted = table(name)
    assert wanted in PAGE.read_text(encoding="utf-8"), f"the table of {name} should read:\n{wanted}"


def test_every_built_in_plugin_is_described(app: Flask) -> None:
    installed = {plugin.name for plugin in registry.plugins()}
    assert installed == set(BUILT_IN)
