"""The worker's part: messages are addressed, taken, written out and sent, at least once, by any number of processes.

Nothing is sent inside a transaction. A target that is down is left alone for a while with all that waits for it, and
holds nobody else up: each has a thread of its own. Who died between the sending and the note of it leaves a
delivery that is sent again, under the same id.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Protocol

from gatekeeper.service.notify.deliveries import (
    address,
    claim,
    drop,
    drop_unknown,
    fail,
    is_due,
    postpone,
    succeed,
)
from gatekeeper.service.notify.outbox import undelivered
from gatekeeper.service.notify.target import NotTaken, TargetDown
from gatekeeper.service.store.transactions import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from gatekeeper.service.notify.deliveries import Delivery
    from gatekeeper.service.notify.news import News
    from gatekeeper.service.notify.outbox import Message
    from gatekeeper.service.notify.target import Target
    from gatekeeper.service.store.transactions import Store

log = logging.getLogger("gatekeeper.service")

JOB = "deliver messages"
EVERY_SECONDS = 2
_MESSAGES = 50
_TOGETHER = 5


class Desk(Protocol):
    """Who knows what messages are about."""

    def recipients(self, tx: Connection, message: Message, *, now: int) -> tuple[str, ...]:
        """Return the ids of the people whom a message is for."""
        ...

    def news(self, tx: Connection, message: Message, *, recipient: str, late: bool, now: int) -> News | None:
        """Write a message out as things stand now; None where there is nothing to tell any more.

        `recipient` is a subject's id, "" for a place; `late` asks for what is over, too.
        """
        ...


class Deliverer:
    """Brings the messages of one service to its targets."""

    def __init__(self, desk: Desk, targets: tuple[Target, ...]) -> None:
        self._desk = desk
        self._targets = targets

    def act(self, store: Store, now: int) -> int:
        """Do what there is to do now, a few messages for each target; return how many were addressed or sent."""
        addressed = self._address(store, now)
        with store.read() as tx:
            due = is_due(tx, now=now)
        if not due:
            return addressed
        with store.write() as tx:
            drop_unknown(tx, (one.name for one in self._targets), now=now)
            taken = [(one, claim(tx, one.name, limit=_TOGETHER, now=now)) for one in self._targets]
        work = [partial(self._send, store, target, mine, now) for target, mine in taken if mine]
        if not work:
            return addressed
        with ThreadPoolExecutor(len(work), thread_name_prefix="notify") as threads:
            return addressed + sum(threads.map(_call, work))

    def _address(self, store: Store, now: int) -> int:
        with store.read() as tx:
            found = [
                (message, list(self._places(tx, message, now)))
                for message in undelivered(tx, limit=_MESSAGES)
            ]
        if found:
            with store.write() as tx:
                return sum(address(tx, message, to, now=now) for message, to in found)
        return 0

    def _places(self, tx: Connection, message: Message, now: int) -> Iterator[tuple[str, str]]:
        wanting = [one for one in self._targets if message.kind in one.on]
        yield from ((one.name, "") for one in wanting if not one.personal)
        personal = [one for one in wanting if one.personal]
        if not personal:
            return
        try:
            people = self._desk.recipients(tx, message, now=now)
        except StoreUnavailable:
            raise
        except Exception:
            # The others must not wait for ever behind one message that can't be addressed.
            log.exception("message %d (%s) can't be addressed to people", message.id, message.kind)
            return
        yield from ((one.name, person) for one in personal for person in people)

    def _send(self, store: Store, target: Target, mine: list[Delivery], now: int) -> int:
        """Send what was claimed for one target, in order, until the target is down; return how many it took."""
        sent = 0
        for place, delivery in enumerate(mine):
            try:
                sent += self._send_one(store, target, delivery, now)
            except StoreUnavailable as error:
                # What was claimed is free again when the lease ends; what was sent since is sent again then.
                log.warning("deliveries to %s found no database: %s", target.name, error.detail)
                return sent
            except TargetDown as error:
                with store.write() as tx:
                    until = fail(tx, delivery, str(error), wait_for=error.wait_for, now=now)
                    rest = mine[place + 1 :]
                    if until is not None:
                        postpone(tx, target.name, rest, until=until, now=now)
                    else:
                        postpone(tx, target.name, rest, until=now, now=now)
                self._tell(target, delivery, str(error), until)
                return sent
            except Exception as error:
                why = str(error) if isinstance(error, NotTaken) else type(error).__name__
                if not isinstance(error, NotTaken):
                    log.exception("message %d can't be sent to %s", delivery.message.id, target.name)
                with store.write() as tx:
                    until = fail(tx, delivery, why, now=now)
                self._tell(target, delivery, why, until)
        return sent

    def _send_one(self, store: Store, target: Target, delivery: Delivery, now: int) -> int:
        with store.read() as tx:
            news = self._desk.news(
                tx, delivery.message, recipient=delivery.recipient, late=target.late, now=now
            )
        if news is None or (target.personal and not news.to):
            with store.write() as tx:
                drop(tx, delivery, now=now)
            return 0
        target.send(news, now=now)
        with store.write() as tx:
            succeed(tx, delivery, now=now)
        return 1

    def _tell(self, target: Target, delivery: Delivery, why: str, until: int | None) -> None:
        what = "is given up" if until is None else "comes again"
        log.warning("message %d %s: %s: %s", delivery.message.id, what, target.name, why)


def _call(work: Callable[[], int]) -> int:
    return work()
