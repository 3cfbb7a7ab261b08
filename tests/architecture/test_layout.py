"""The checkout is laid out so that nothing shadows the standard library and everything is packaged."""

from __future__ import annotations

import configparser
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from fanyong.devtools.paths import ROOT, base_environment

SOURCES = {"fanyong": ROOT / "platform" / "fanyong", "tenants": ROOT / "tenants", "plugins": ROOT / "plugins"}


@pytest.fixture(scope="module")
def setup_cfg() -> configparser.ConfigParser:
    """Give what setup.cfg says."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def folders() -> list[str]:
    """Return the dotted name of every package that the source folders hold."""
    return sorted(
        ".".join([name, *marker.parent.relative_to(folder).parts])
        for name, folder in SOURCES.items()
        for marker in folder.rglob("__init__.py")
    )


def test_setup_cfg_names_every_package(setup_cfg: configparser.ConfigParser) -> None:
    listed = setup_cfg["options"]["packages"].split()
    assert listed == folders(), "`packages` in setup.cfg should read:\n    " + "\n    ".join(folders())


def test_every_folder_with_code_is_a_package() -> None:
    bare = {
        str(file.parent.relative_to(ROOT))
        for folder in SOURCES.values()
        for file in folder.rglob("*.py")
        if not (file.parent / "__init__.py").exists() and "migrations" not in file.parts
    }
    assert bare == set()


@pytest.mark.parametrize("folder", [ROOT, ROOT / "tests"])
def test_the_source_folder_never_becomes_a_package(folder: Path) -> None:
    assert not (folder / "platform" / "__init__.py").exists()


def test_platform_is_the_standard_library_s() -> None:
    script = "import platform, fanyong; print(platform.python_version()); print(platform.__file__)"
    shown = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, env=base_environment(), text=True)
    version, file = shown.splitlines()
    assert version == ".".join(map(str, sys.version_info[:3]))
    assert not Path(file).is_relative_to(ROOT)


def test_the_package_itself_imports_nothing() -> None:
    script = "import sys; before = set(sys.modules); import fanyong; print(*sorted(set(sys.modules) - before))"
    shown = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, env=base_environment(), text=True)
    assert shown.split() == ["fanyong"]


def test_dev_runs_before_anything_is_installed() -> None:
    # -I and -S leave nothing but the standard library.
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'platform')!r});"
        "from fanyong.devtools.cli import main; sys.exit(main(['help']))"
    )
    shown = subprocess.check_output([sys.executable, "-I", "-S", "-c", script], text=True)
    assert "./dev COMMAND" in shown


def test_the_built_in_plugins_are_installed_under_the_names_of_setup_cfg(
    setup_cfg: configparser.ConfigParser,
) -> None:
    text = setup_cfg["options.entry_points"]["fanyong.plugins"]
    wanted = dict(line.split(" = ") for line in text.split("\n") if line)
    found = {entry.name: entry.value for entry in metadata.entry_points(group="fanyong.plugins")}
    assert wanted.items() <= found.items(), "run any ./dev command: it installs what setup.cfg declares"
    for name, value in wanted.items():
        assert (SOURCES["plugins"] / name / "__init__.py").exists()
        assert value == f"plugins.{name}:plugin"
