"""What `service audit …` does: bring the tree up to date, check a log, a copy or a report, and write a report.

A copy is never opened where it lies: SQLite would write beside it, and it is evidence.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.evidence import make_evidence, read_evidence
from gatekeeper.service.audit.keeper import keep
from gatekeeper.service.audit.pages import render_csv, render_html
from gatekeeper.service.keys.signer import load_keys
from gatekeeper.service.store.transactions import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatekeeper.service.audit.evidence import Evidence
    from gatekeeper.service.audit.report import Asked
    from gatekeeper.service.store.transactions import Store

EVIDENCE = "evidence.json"
PAGES = {"report.html": render_html, "report.csv": render_csv}
_SQLITE = b"SQLite format 3\x00"


def bring_up_to_date(store: Store, data: Path, *, now: int) -> None:
    """Let the tree hold all that was recorded, signed: also where no process runs.

    Raises:
        GatekeeperError: GK101, the log key isn't here; GK506, the log contradicts itself.
    """
    keep(store, load_keys(data).log, now=now)


@contextmanager
def copy_of(file: Path) -> Iterator[Store]:
    """Open a copy of a service's SQLite file, without touching it.

    Raises:
        GatekeeperError: GK101, it is no SQLite file or can't be read.
    """
    try:
        with file.open("rb") as opened:
            is_sqlite = opened.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        raise GatekeeperError("GK101", f"{file}: {error.strerror}.") from error
    if not is_sqlite:
        raise GatekeeperError(
            "GK101", f"{file} is neither a copy of the database nor the folder of a report."
        )
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "copy.db"
        try:
            for suffix in ("", "-wal"):
                beside = file.with_name(file.name + suffix)
                if not suffix or beside.exists():
                    shutil.copyfile(beside, target.with_name(target.name + suffix))
        except OSError as error:
            raise GatekeeperError("GK101", f"{file}: {error.strerror}.") from error
        store = open_store(f"sqlite:///{target}")
        try:
            yield store
        finally:
            store.close()


def write_report(store: Store, asked: Asked, out: Path, *, formats: tuple[str, ...], now: int) -> Evidence:
    """Write evidence and pages into a new folder, and return what they say.

    Raises:
        GatekeeperError: GK106, the folder holds something or can't be written; GK506, there is no signed head.
    """
    with store.read() as tx:
        data = make_evidence(tx, asked, now=now)
    evidence = read_evidence(data)
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise GatekeeperError("GK106", f"{out} is not empty. Name a new folder.")
        (out / EVIDENCE).write_bytes(data)
        for name in formats:
            (out / f"report.{name}").write_bytes(PAGES[f"report.{name}"](evidence))
    except OSError as error:
        raise GatekeeperError("GK106", f"{out}: {error.strerror}.") from error
    return evidence


def read_report(folder: Path, *, pins: tuple[str, ...]) -> Evidence:
    """Read a report's folder and check evidence and pages: a page must say what follows from the evidence.

    Raises:
        GatekeeperError: GK101, it is no report or can't be read.
    """
    try:
        evidence = read_evidence((folder / EVIDENCE).read_bytes(), pins=pins)
        changed = [
            f"{name} doesn't say what follows from the evidence"
            for name, render in PAGES.items()
            if (folder / name).exists() and (folder / name).read_bytes() != render(evidence)
        ]
    except OSError as error:
        raise GatekeeperError("GK101", f"{folder}: {error.strerror}.") from error
    return evidence.replace(faults=(*evidence.faults, *changed))
