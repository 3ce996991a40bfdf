"""A real store, on an SQLite file or on a PostgreSQL server, and the people and policy that the service's tests share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.policy.folder import PolicyFiles, apply_policy
from gatekeeper.service.store.migrate import upgrade
from gatekeeper.service.store.transactions import Store, open_store

if TYPE_CHECKING:
    from tests.fakes.postgres import Cluster

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


class Databases:
    """Where the running test's databases are: files in its own folder, or databases of `cluster`."""

    def __init__(self) -> None:
        self.cluster: Cluster | None = None
        self._made: dict[tuple[Path, str], str] = {}
        self._templates: dict[tuple[Cluster, str], str] = {}
        self._stores: list[Store] = []

    def url(self, folder: Path, *, template: str = "template0") -> str:
        """Return the address of the one database that belongs to a folder, made where there is none."""
        if self.cluster is None:
            return f"sqlite:///{folder}/gatekeeper.db"
        place = (folder, self.cluster.url(""))
        if place not in self._made:
            self._made[place] = self.cluster.new_database(template=template)
        return self.cluster.url(self._made[place])

    def template(self, catalogue: str) -> str:
        """Return a database of the cluster with every table, and with a policy in force where one is given."""
        assert self.cluster is not None
        if (self.cluster, catalogue) not in self._templates:
            name = self.cluster.new_database()
            _fill(self.cluster.url(name), catalogue)
            self._templates[self.cluster, catalogue] = name
        return self._templates[self.cluster, catalogue]

    def opened(self, store: Store) -> Store:
        """Close a store at the end of the test: a connection that is left open is another test's warning."""
        self._stores.append(store)
        return store

    def forget(self) -> None:
        """Close and drop what the test made."""
        while self._stores:
            self._stores.pop().close()
        if self.cluster is not None:
            for name in self._made.values():
                self.cluster.drop_database(name)
        self._made.clear()


databases = Databases()


def url_of(folder: Path) -> str:
    """Return the address of the database that belongs to a folder."""
    return databases.url(folder)


def migrated_url_of(folder: Path) -> str:
    """Return the same, with every table where that saves the test a second; "" leaves it to the service."""
    return databases.url(folder, template=databases.template("")) if databases.cluster is not None else ""


def _fill(url: str, catalogue: str) -> None:
    store = open_store(url)
    upgrade(store)
    if catalogue:
        with store.write() as tx:
            apply_policy(
                tx, PolicyFiles(catalogue=catalogue), by="operator", now=NOW - DAY, effective_at=NOW - DAY
            )
    store.close()


@cache
def _template(catalogue: str) -> bytes:
    with TemporaryDirectory() as folder:
        _fill(f"sqlite:///{folder}/gatekeeper.db", catalogue)
        return (Path(folder) / "gatekeeper.db").read_bytes()


def new_store(folder: Path, *, catalogue: str = CATALOGUE) -> Store:
    """Make a store with a policy in force since long ago."""
    if databases.cluster is not None:
        return databases.opened(open_store(databases.url(folder, template=databases.template(catalogue))))
    content = _template(catalogue)
    store = databases.opened(open_store(url_of(folder)))
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
