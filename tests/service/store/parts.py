"""A real store on a real SQLite file, and the people and policy that the service's tests share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.policy.folder import apply_policy
from gatekeeper.service.store.migrate import upgrade
from gatekeeper.service.store.transactions import Store, open_store

NOW = 1_800_000_000
DAY = 86_400
REASON = "The new parser needs tests, and I am slow at them."
T = TypeVar("T")

CATALOGUE = """
[organisation]
name = "Acme"
help = "#ai-approvals"
[vendors.in-house]
name = "Acme"
[tools.probe]
name = "Probe"
vendor = "in-house"
executables = ["probe", "probe-ng"]
identity = [{ sha256 = ["0000000000000000000000000000000000000000000000000000000000000000"] }]
alternatives = ["llama"]
max_duration = "60d"
[tools.llama]
vendor = "in-house"
access = "open"
identity = [{ npm = "llama", versions = ">=1" }]
[tools.shut]
vendor = "in-house"
access = "closed"
identity = [{ npm = "shut" }]
[zones.frontier-models]
remotes = ["github.com/acme/llama-*", "git.acme.example/research/**"]
[zones.training-data]
remotes = ["github.com/acme/datasets-*"]
"""


def url_of(folder: Path) -> str:
    """Return the URL of the store in a folder."""
    return f"sqlite:///{folder}/gatekeeper.db"


@cache
def _template(catalogue: str) -> bytes:
    with TemporaryDirectory() as folder:
        store = open_store(url_of(Path(folder)))
        upgrade(store)
        with store.write() as tx:
            apply_policy(tx, catalogue, by="operator", now=NOW - DAY, effective_at=NOW - DAY)
        store.close()
        return (Path(folder) / "gatekeeper.db").read_bytes()


def new_store(folder: Path, *, catalogue: str = CATALOGUE) -> Store:
    """Make a store with a policy in force since long ago."""
    content = _template(catalogue)
    store = open_store(url_of(folder))
    (folder / "gatekeeper.db").write_bytes(content)
    return store


def code_of(act: Callable[[], object]) -> str:
    """Return the code that an act is refused with, "" where it isn't."""
    try:
        act()
    except GatekeeperError as error:
        return error.code
    return ""


def at_once(*acts: Callable[[], T]) -> list[T | GatekeeperError]:
    """Run the acts in threads that start together; return what each gave or raised, in their order."""
    barrier = threading.Barrier(len(acts))
    outcomes: list[T | GatekeeperError | None] = [None] * len(acts)

    def run(place: int, act: Callable[[], T]) -> None:
        barrier.wait()
        try:
            outcomes[place] = act()
        except GatekeeperError as error:
            outcomes[place] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in outcomes, "a thread died of something that is no GatekeeperError"
    return [outcome for outcome in outcomes if outcome is not None]
