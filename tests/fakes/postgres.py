"""A real PostgreSQL of the tests' own: Debian's server, as an ordinary user, on a socket that only that user reaches.

`make test` installs it (tests/e2e/system.sh). Where it can't be, the tests that need it are skipped loudly, and
under CI=true they fail.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

_NUMBERS = count(1)
_UNPRIVILEGED = ("postgres", "nobody")
# Durability is what the server is trusted for, not what these tests look at; it would cost them minutes.
_QUICK = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}


def programs() -> Path | None:
    """Return the folder of the newest server that is installed, None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    other = shutil.which("initdb")
    return Path(other).parent if other else None


class Cluster:
    """A server process with databases of its own; ended by `stop`."""

    def __init__(self, bin_folder: Path, **settings: str) -> None:
        # A socket's path has 107 characters at most, and the server refuses to run as root.
        self.folder = Path(tempfile.mkdtemp(prefix="gkpg-"))
        self._bin = bin_folder
        self._user = _unprivileged() if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self.data = self.folder / "data"
        self._run("initdb", "-D", self.data, "-U", "gatekeeper", "--auth=trust", "--no-sync", "-E", "UTF8")
        self._options = " ".join(
            f"-c {name}={value or repr('')}"
            for name, value in (_QUICK | {"unix_socket_directories": str(self.folder)} | settings).items()
        )
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "-o", self._options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server."""
        self._run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def remove(self) -> None:
        """Stop the server, and take everything away."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """Return the address of a database, as `service.toml` names it."""
        return f"postgresql://gatekeeper@/{database}?host={self.folder}"

    def new_database(self, *, template: str = "template0") -> str:
        """Make a database and return its name."""
        name = f"gatekeeper_{next(_NUMBERS)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} (FORCE)").format(sql.Identifier(name)))

    def _run(self, program: str, *arguments: object) -> None:
        # pg_ctl's server keeps the streams open, so they must not be pipes that somebody reads to the end.
        with tempfile.TemporaryFile() as written:
            done = subprocess.run(
                [str(self._bin / program), *map(str, arguments)],
                user=self._user,
                group=self._user and _group_of(self._user),
                extra_groups=[] if self._user else None,
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                timeout=60,
                check=False,
            )
            written.seek(0)
            assert done.returncode == 0, f"{program}: {written.read().decode(errors='replace')}"


def make_cluster(**settings: str) -> Cluster:
    """Start a server, or skip the test (fail it where CI=true)."""
    found = programs()
    if found is None or (os.geteuid() == 0 and not _unprivileged()):
        words = "no PostgreSQL server on this machine: as root on Debian, apt-get install postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    return Cluster(found, **settings)


def _unprivileged() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in _UNPRIVILEGED if name in names), "")


def _group_of(user: str) -> int:
    return pwd.getpwnam(user).pw_gid
