"""The files of a policy folder, as texts: read from disk, and told apart by one digest."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.policy.reading import FILE, meant
from gatekeeper.values import Value

ACCESS_FILE = "access.cedar"
EXPECT_FILE = "expect.toml"
TERMS_FOLDER = "terms"
_FILES = (FILE, ACCESS_FILE, EXPECT_FILE)
_SUFFIXES = (".toml", ".cedar")
_MAX_BYTES = 1024 * 1024
_MAX_TERMS = 100


class PolicyFiles(Value):
    """A policy as it is written. "" for a file that isn't there; `terms` are (file, text), as `terms/claude.md`."""

    catalogue: str
    access: str = ""
    expect: str = ""
    terms: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self) -> str:
        """The lower-case SHA-256 of all files."""
        whole = json.dumps([self.catalogue, self.access, self.expect, self.terms], ensure_ascii=True)
        return hashlib.sha256(whole.encode()).hexdigest()


def load_folder(folder: Path) -> PolicyFiles:
    """Read a policy folder. What else stands in it (a README, a .git) is left alone.

    Raises:
        GatekeeperError: GK101, there is no `catalogue.toml`, a file can't be read, is too long or not UTF-8, or one
            looks like a misspelt one of these (a rule in `acess.cedar` would protect nothing).
    """
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names alone
    except OSError as error:
        raise GatekeeperError("GK101", f"{folder}: {error.strerror}.") from error
    for name in names:
        if name.endswith(_SUFFIXES) and name not in _FILES and not name.startswith("."):
            words = f"{folder / name}: a policy has {', '.join(_FILES)} and the folder terms."
            raise GatekeeperError("GK101", f"{words} {meant(name, _FILES)}".rstrip())
    access = _read(folder / ACCESS_FILE) if ACCESS_FILE in names else ""
    if ACCESS_FILE in names and not access.strip():
        raise GatekeeperError(
            "GK101", f"{folder / ACCESS_FILE}:1: no rule stands here, so nothing is permitted."
        )
    return PolicyFiles(
        catalogue=_read(folder / FILE),
        access=access,
        expect=_read(folder / EXPECT_FILE) if EXPECT_FILE in names else "",
        terms=_terms(folder / TERMS_FOLDER) if TERMS_FOLDER in names else (),
    )


def write_folder(folder: Path, files: PolicyFiles) -> None:
    """Write a policy folder that isn't there yet, for its owner alone, to be edited. Raises `OSError`."""
    folder.mkdir(mode=0o700)
    written = (
        (FILE, files.catalogue),
        (ACCESS_FILE, files.access),
        (EXPECT_FILE, files.expect),
        *files.terms,
    )
    for name, text in written:
        if text:
            path = folder / name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - of a descriptor
                file.write(text)


def _terms(folder: Path) -> tuple[tuple[str, str], ...]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise GatekeeperError("GK101", f"{folder}: {error.strerror}.") from error
    if len(paths) > _MAX_TERMS:
        raise GatekeeperError("GK101", f"{folder}: more than {_MAX_TERMS} files.")
    return tuple((f"{TERMS_FOLDER}/{path.name}", _read(path)) for path in paths)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise GatekeeperError("GK101", f"{path}: longer than {_MAX_BYTES} bytes.")
        text = data.decode("utf-8")
    except OSError as error:
        raise GatekeeperError("GK101", f"{path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise GatekeeperError("GK101", f"{path}: not UTF-8.") from error
    if "\x00" in text:
        # PostgreSQL keeps no text with this character, and no editor shows it.
        raise GatekeeperError("GK101", f"{path}: holds a NUL character.")
    return text
