"""Turns at the database: the event loop hands work over and goes on, and those who write share a commit.

One thread writes. What waits for it is done in one transaction, each in a savepoint of its own, and committed
once: a commit waits for the disk, so under load it is shared by all who came meanwhile. Nobody is answered
before the commit, so what was answered stands. A few threads read. While another process holds the database,
everyone who waits is told so together, after one wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy.exc import DBAPIError, IntegrityError

from gatekeeper.service.store.transactions import StoreBusy

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from gatekeeper.service.store.transactions import Store

T = TypeVar("T")
_MOST_TOGETHER = 64
_READERS = 4


class _Turn(Generic[T]):
    """Work that waits, and where its outcome goes."""

    def __init__(self, work: Callable[[Connection], T], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.context: Context = copy_context()
        self.future: asyncio.Future[T] = loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def take(self, tx: Connection) -> None:
        """Do the work, and keep what it returns."""
        self.result = self.context.run(self.work, tx)

    def tell(self) -> None:
        """Hand the outcome over, in the loop's own thread; nobody may be waiting for it any more."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Turns:
    """The threads of one process at one store. They end with the object, or with `close`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        self._waiting: deque[_Turn[Any]] = deque()
        self._lock = Lock()
        self._drains = False

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in a write transaction; return what it returns once that is committed.

        What `work` raises undoes what `work` did, and nothing else. It may be done twice (the first time undone).

        Raises:
            StoreUnavailable: as `Store.write` does; nothing was done.
        """
        turn = _Turn(work, asyncio.get_running_loop())
        with self._lock:
            self._waiting.append(turn)
            start, self._drains = not self._drains, True
        if start:
            self._writer.submit(self._drain)
        return await turn.future

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do `work` on one snapshot; return what it returns. Raises as `Store.read` does, and what `work` raises."""
        context = copy_context()

        def look() -> T:
            with self._store.read() as tx:
                return context.run(work, tx)

        return await asyncio.get_running_loop().run_in_executor(self._readers, look)

    def close(self) -> None:
        """Finish what waits, and end the threads."""
        self._writer.shutdown()
        self._readers.shutdown()

    def _drain(self) -> None:
        """Take the turns that wait, many together, until none is left."""
        while True:
            with self._lock:
                turns = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_TOGETHER))]
                if not turns:
                    self._drains = False
                    return
            self._take(turns)
            for loop in {turn.loop for turn in turns}:
                _tell(loop, [turn for turn in turns if turn.loop is loop])

    def _take(self, turns: list[_Turn[Any]]) -> None:
        """Do the turns in one transaction; where that fails for more than one, each in a transaction of its own."""
        try:
            with self._store.write() as tx:
                if len(turns) == 1:
                    turns[0].take(tx)
                else:
                    _together(tx, turns)
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait hear of it
            if len(turns) == 1 or isinstance(error, StoreBusy):
                for turn in turns:
                    turn.error = error
                return
            for turn in turns:
                turn.error = None
                self._take([turn])


def _together(tx: Connection, turns: list[_Turn[Any]]) -> None:
    """Do each turn in a savepoint. Raises `DBAPIError` where the transaction as a whole can't go on."""
    for turn in turns:
        try:
            with tx.begin_nested():
                turn.take(tx)
        except IntegrityError as error:
            turn.error = error
        except DBAPIError:
            raise
        except Exception as error:  # noqa: BLE001 - it is this caller's, and undone with its savepoint
            turn.error = error


def _tell(loop: asyncio.AbstractEventLoop, turns: list[_Turn[Any]]) -> None:
    def tell() -> None:
        for turn in turns:
            turn.tell()

    try:
        loop.call_soon_threadsafe(tell)
    except RuntimeError:
        # The loop has ended, and with it everyone who waited there; what was committed stands.
        return
