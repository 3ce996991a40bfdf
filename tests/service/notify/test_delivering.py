"""Messages reach their targets at least once, whatever fails, and once where nothing does."""

from __future__ import annotations

import hmac
import threading
from base64 import b64encode
from hashlib import sha256

import pytest
from sqlalchemy import select
from tests.service.access.office import Office
from tests.service.notify.parts import (
    ISSUER,
    SECRET,
    Receiver,
    deliverer,
    open_messages,
    stands,
    states,
    webhook,
    work,
)
from tests.service.store.parts import DAY, REASON, at_once

from gatekeeper.service.notify.deliveries import (
    LEASE,
    MOST_TRIES,
    Standing,
    sweep_messages,
    wait_after,
)
from gatekeeper.service.notify.news import ASKS, KINDS, News
from gatekeeper.service.notify.slack import Slack
from gatekeeper.service.store.tables.notify import deliveries


def test_a_webhook_gets_everything_signed_and_what_failed_again(office: Office, receiver: Receiver) -> None:
    """The id is the same each time; after a good answer nothing is sent any more, and the message is done."""
    one = deliverer(webhook(receiver))
    request = office.ask()
    receiver.status = 500
    work(office, one, rounds=3)
    assert len(receiver.bodies) == 1, "it is left alone until the wait is over"
    office.now += wait_after(1)
    receiver.status = 204
    work(office, one, rounds=3)
    assert len(receiver.bodies) == 2
    assert (states(office), open_messages(office)) == (["delivered"], 0)
    assert receiver.headers[0]["webhook-id"] == receiver.headers[1]["webhook-id"]
    for headers, body in zip(receiver.headers, receiver.bodies, strict=True):
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = b64encode(hmac.digest(SECRET, signed, sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
    came = receiver.sent[1]
    assert (came["type"], came["url"]) == ("request.created", f"{ISSUER}/requests/{request.id}")
    asked = came["data"]["request"]
    assert (asked["subject_name"], asked["tool"], asked["reason"], asked["state"]) == (
        "ada@acme.example",
        "probe",
        REASON,
        "pending",
    )
    office.deny(request)
    work(office, one)
    assert receiver.sent[2]["type"] == "request.denied"
    assert receiver.sent[2]["data"]["request"]["decided_by"] == "cleo@acme.example"
    assert receiver.headers[2]["webhook-id"] != receiver.headers[1]["webhook-id"]


def test_two_processes_send_each_message_once(office: Office, receiver: Receiver) -> None:
    """However many try at once, one addresses and one sends."""
    for name in ("ada", "ben", "eve"):
        office.ask(name)
    processes = [deliverer(webhook(receiver)) for _ in range(3)]
    for _ in range(3):
        at_once(*[lambda one=one: one.act(office.store, office.now) for one in processes])
    ids = [headers["webhook-id"] for headers in receiver.headers]
    assert len(ids) == len(set(ids)) == 3
    assert states(office) == ["delivered"] * 3


def test_a_process_that_dies_in_the_middle_sends_again_under_the_same_id(office: Office) -> None:
    """What was sent and not noted comes again when the lease is over, and not before."""
    seen: list[str] = []
    died = threading.Event()

    class Dying:
        name, on, personal, late = "webhook", KINDS, False, True

        def send(self, news: News, *, now: int) -> None:
            seen.append(news.id)
            if not died.is_set():
                died.set()
                raise KeyboardInterrupt  # nothing is noted of what ends a process

    office.ask()
    one = deliverer(Dying())
    with pytest.raises(KeyboardInterrupt):
        work(office, one)
    office.now += LEASE - 1
    assert (work(office, one), len(seen)) == (0, 1)
    office.now += 1
    assert (work(office, one), len(seen)) == (1, 2)
    assert seen[0] == seen[1]
    assert states(office) == ["delivered"]


def test_a_target_that_is_down_holds_nobody_up_and_is_given_up_in_the_end(
    office: Office, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Refused connections: one try a round, ever later; after twelve it is dead, and told with the target's name."""
    gone = Receiver()
    gone.server.server_close()
    channel = Slack(name="slack", on=ASKS, url=f"{gone.url}/T0/very-secret")
    one = deliverer(channel, webhook(receiver))
    for name in ("ada", "ben"):
        office.ask(name)
    work(office, one, rounds=2)
    assert len(receiver.bodies) == 2
    with office.store.read() as tx:
        counts = select(deliveries.c.failures).where(deliveries.c.target == "slack").order_by(deliveries.c.id)
        assert list(tx.execute(counts).scalars()) == [1, 0], "the second waits with the first"
    for tries in range(1, MOST_TRIES):
        office.now += wait_after(tries)
        work(office, one)
    assert wait_after(3) == 2 * wait_after(2) == 4 * wait_after(1)
    found = stands(office)
    assert (found.dead, found.waiting) == (1, 1)
    assert found.error.startswith("slack: ")
    assert "very-secret" not in found.error + caplog.text
    office.now += 31 * DAY
    work(office, one)  # the other is too old by now, and one try is its last
    with office.store.write() as tx:
        assert sweep_messages(tx, office.now) == 1
    office.now += 31 * DAY
    with office.store.write() as tx:
        assert sweep_messages(tx, office.now) > 0
    assert stands(office) == Standing(waiting=0, dead=0, error="")


def test_a_message_that_isnt_taken_holds_up_no_other(office: Office, receiver: Receiver) -> None:
    """404 is one message's trouble; 429 says for how long nothing is taken."""
    one = deliverer(webhook(receiver))
    receiver.status = 404
    for name in ("ada", "ben"):
        office.ask(name)
    work(office, one)
    assert len(receiver.bodies) == 2
    office.now += wait_after(1)
    receiver.status, receiver.retry_after = 429, "300"
    work(office, one)
    assert len(receiver.bodies) == 3
    office.now += 299
    receiver.status = 200
    work(office, one)
    assert len(receiver.bodies) == 3
    office.now += 1
    work(office, one)
    assert states(office) == ["delivered"] * 2


def test_without_targets_nothing_piles_up(office: Office) -> None:
    """A message that nobody wants is done; what waited for a target that is no more is dropped."""
    office.ask()
    work(office, deliverer())
    assert (states(office), open_messages(office)) == ([], 0)
    gone = Receiver()
    gone.server.server_close()
    office.ask("ben")
    work(office, deliverer(webhook(gone)))
    assert states(office) == ["waiting"]
    office.now += wait_after(1)
    work(office, deliverer())
    assert (states(office), open_messages(office)) == (["dropped"], 0)
