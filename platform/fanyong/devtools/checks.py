"""`./dev lint`, `./dev test`, `./dev bench`, `./dev faults` and `./dev mutants`."""

from __future__ import annotations

import os
import subprocess
import sys

from fanyong.devtools import assets, environment, servers
from fanyong.devtools.paths import ROOT, base_environment, venv_python
from fanyong.devtools.processes import Command
from fanyong.devtools.progress import say
from fanyong.devtools.supervisor import Supervisor

_IMPORT_LINTER = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
_LINTERS = {
    "ruff check": (["-m", "ruff", "check", "."], "`.venv/bin/ruff check --fix .` mends much of it."),
    "ruff format": (["-m", "ruff", "format", "--check", "."], "`.venv/bin/ruff format .` mends it."),
    "mypy": (
        ["-m", "mypy", "-p", "fanyong", "-p", "tenants", "-p", "plugins"],
        "Give it the types it asks for.",
    ),
    "import arrows": (["-c", _IMPORT_LINTER, "--no-logo"], "plugins -> tenants -> fanyong; see setup.cfg."),
}


def lint() -> int:
    """Run every linter, and fail if one of them finds something."""
    environment.ensure()
    failed = []
    for name, (argv, remedy) in _LINTERS.items():
        say(f"-- {name}")
        command = [str(venv_python()), *argv]
        if subprocess.run(command, cwd=ROOT, env=base_environment(), check=False).returncode != 0:
            failed.append(name)
            say(f"   {name} found something. {remedy}")
    say(f"Failed: {', '.join(failed)}." if failed else "All of it is clean.")
    return 1 if failed else 0


def test(arguments: list[str]) -> int:
    """Run the tests on servers that last as long as they do."""
    return _on_temporary_servers(["-m", "pytest", "-n", "2", *arguments], fsync=False)


def bench(arguments: list[str]) -> int:
    """Measure the main paths on servers that last as long as that, and that write as durably as real ones."""
    return _on_temporary_servers(["-m", "tests.bench", *arguments], fsync=True)


def faults(arguments: list[str]) -> int:
    """Play shop stories in which something goes wrong, on servers that last as long as that."""
    return _on_temporary_servers(["-m", "tests.faults", *arguments], fsync=False)


def mutants(arguments: list[str]) -> int:
    """Plant one bug after the other in the money code, and see that the tests find each."""
    return _on_temporary_servers(["-m", "tests.faults.mutants", *arguments], fsync=False)


def _on_temporary_servers(argv: list[str], *, fsync: bool) -> int:
    environment.ensure()
    assets.compile_translations()
    given = dict(os.environ)
    wanted = {
        "DATABASE_URL": given.get("TEST_DATABASE_URL", ""),
        "REDIS_URL": given.get("TEST_REDIS_URL", ""),
    }
    with servers.temporary_folder() as folder, Supervisor(logs=folder / "logs") as supervisor:
        found = servers.start(supervisor, folder=folder, environment=wanted, database="postgres", fsync=fsync)
        settings = base_environment()
        # Nothing here may touch the database that a developer works with.
        for name in ("DATABASE_URL", "REDIS_URL"):
            settings.pop(name, None)
        settings |= {"TEST_DATABASE_URL": found.database_url, "TEST_REDIS_URL": found.redis_url}
        sys.stdout.flush()
        return supervisor.run(Command([str(venv_python()), *argv], environment=settings))
