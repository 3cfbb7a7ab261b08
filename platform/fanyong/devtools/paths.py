"""Where things lie in a checkout."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / ".data"
LOGS = DATA / "logs"
STATE = DATA / "state.json"
SECRETS = DATA / "secrets.json"
VENV = ROOT / ".venv"
VENDOR = ROOT / "platform" / "fanyong" / "web" / "static" / "vendor"
TRANSLATIONS = ROOT / "platform" / "fanyong" / "translations"


class Problem(Exception):
    """Something a developer can mend: what went wrong, and what to do next."""

    def __init__(self, what: str, *, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


def venv_python() -> Path:
    """Return the interpreter of the project's virtual environment, whether it exists yet or not."""
    return VENV / "bin" / "python"


def site_packages(*, venv: Path = VENV) -> Path:
    """Return the folder where the virtual environment keeps its packages."""
    base = {"base": str(venv), "platbase": str(venv)}
    return Path(sysconfig.get_path("purelib", scheme="venv", vars=base))


def base_environment() -> dict[str, str]:
    """Return the environment of every process we start: ours, with the sources on the path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "platform"), str(ROOT)])
    environment["PYTHONUNBUFFERED"] = "1"
    environment.pop("PYTHONHOME", None)
    return environment
