"""A workstation as a witness: it notes each head, demands proofs behind a launch, and keeps what contradicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import DIRECTORY
from tests.fakes.service import Answer, Lie, ServiceSimulator, html, refuse, status

from gatekeeper.client.renew import renew, sync
from gatekeeper.client.witness import BEHIND_FOR, Log, check, seen_logs
from gatekeeper.decision.obstacles import Renewed
from gatekeeper.trust.sign import LogKey

if TYPE_CHECKING:
    from tests.fakes.world import FakeWorld

    from gatekeeper.client.http import Http
    from gatekeeper.workstation.settings import Settings

ORIGIN = "gk.acme.example"


class Witness:
    """Ada's workstation and the service's log."""

    def __init__(self, world: FakeWorld, settings: Settings, service: ServiceSimulator, http: Http) -> None:
        self.world, self.settings, self.service, self.http = world, settings, service, http

    def grow(self, upto: int, *, other: str = "") -> None:
        """Make the service's log that long; `other` writes other entries."""
        have = [] if other else self.service.log_book.entries
        self.service.log_book.entries = have + [f"{other}{n}".encode() for n in range(len(have), upto)]

    def launch(self) -> None:
        """Renew, as a launch does: it asks for no proof."""
        before = len(self.service.calls)
        assert renew(self.world, self.settings, "claude", timeout=20.0) == Renewed()
        assert ("GET", "/v1/audit/proof") not in self.service.calls[before:]

    def check(self, *, later: int = 0) -> Log:
        """Ask for the proofs, and return what is known then."""
        check(self.world, self.settings, DIRECTORY, self.http, now=self.world.now() + later)
        return self.log()

    def log(self) -> Log:
        """Return what is known."""
        return seen_logs(self.world, DIRECTORY)[ORIGIN]


@pytest.fixture
def witness(world: FakeWorld, signed_in: Settings, service: ServiceSimulator, http: Http) -> Witness:
    """A workstation that has seen ten entries."""
    made = Witness(world, signed_in, service, http)
    made.grow(10)
    made.launch()
    assert made.log().kept.size == 10
    return made


def test_a_log_that_grew_is_proved_and_kept(witness: Witness) -> None:
    """The next head waits until its proof is there."""
    for size in (25, 300):
        witness.grow(size)
        witness.launch()
    assert [head.size for head in witness.log().waiting] == [25, 300]
    after = witness.check()
    assert (after.kept.size, after.waiting, after.fault) == (300, (), None)


def test_sync_demands_the_proof(witness: Witness) -> None:
    """Without any launch, too."""
    witness.grow(30)
    sync(witness.world, witness.settings)
    assert witness.log().kept.size == 30


@pytest.mark.parametrize("size", [10, 12, 300])
def test_a_log_that_was_rewritten_is_kept_beside_what_was_seen(witness: Witness, size: int) -> None:
    """Both heads stay, signed; launches go on."""
    before = witness.log().kept
    witness.grow(size, other="forged ")
    witness.launch()
    after = witness.check()
    assert after.fault is not None
    assert after.fault.kept == before.note
    assert f"\n{size}\n" in after.fault.seen
    assert after.kept == before
    witness.launch()
    assert witness.log().fault == after.fault


def test_a_shorter_log_is_a_slow_replica_as_long_as_it_is_one(witness: Witness) -> None:
    """A shorter head that the longer log begins with is nothing; one that stays short was cut off."""
    witness.grow(40)
    witness.launch()
    witness.check()
    whole = witness.service.log_book.entries
    witness.service.log_book.entries = whole[:20]
    witness.launch()
    assert witness.check().fault is None  # it can't be proved now
    witness.service.log_book.entries = whole
    after = witness.check()
    assert (after.kept.size, after.waiting, after.fault) == (40, (), None)


def test_a_log_restored_from_an_old_copy_is_found(witness: Witness) -> None:
    """It stays shorter, or it grows past what was seen with other entries."""
    witness.grow(40)
    witness.launch()
    witness.check()
    old = witness.service.log_book.entries[:20]
    witness.service.log_book.entries = old
    witness.launch()
    assert witness.check(later=BEHIND_FOR).fault is None
    cut = witness.check(later=BEHIND_FOR + 60).fault
    assert cut is not None
    assert "it has 20 entries and had 40" in cut.words


def test_a_restored_log_that_grew_past_is_found(witness: Witness) -> None:
    """Its later entries are others than those that were seen."""
    witness.grow(40)
    witness.launch()
    witness.check()
    witness.service.log_book.entries = witness.service.log_book.entries[:20]
    witness.service.log_book.entries += [f"since {n}".encode() for n in range(60)]
    witness.launch()
    assert witness.check().fault is not None


def test_a_head_that_the_log_did_not_sign_says_nothing(witness: Witness) -> None:
    """Neither for the log nor against it."""
    before = witness.log()
    witness.service.log = LogKey.generate()
    witness.grow(50, other="forged ")
    witness.launch()
    assert witness.log() == before


def test_no_answer_leaves_the_head_waiting(witness: Witness) -> None:
    """A captive portal is no contradiction."""
    witness.grow(30)
    witness.launch()
    witness.service.lie("/v1/audit", html)
    assert [head.size for head in witness.check().waiting] == [30]
    witness.service.lies.clear()
    assert witness.check().kept.size == 30


def _refused(_: Answer) -> Answer:
    return refuse("GK100", 400)


@pytest.mark.parametrize("how", [status(404), _refused], ids=["404", "a coded refusal"])
def test_a_service_that_refuses_the_proof_for_long_is_accused(witness: Witness, how: Lie) -> None:
    """An hour after the first refusal; how long the head waited before that doesn't count."""
    before = witness.log().kept
    witness.grow(30)
    witness.launch()
    witness.service.lie("/v1/audit/proof", how)
    week = 7 * 24 * BEHIND_FOR
    assert witness.check(later=week).fault is None
    assert witness.check(later=week + BEHIND_FOR).fault is None
    after = witness.check(later=week + BEHIND_FOR + 1)
    assert after.fault is not None
    assert (after.kept, after.waiting, after.refused) == (before, (), ())
    assert after.fault.kept == before.note
    assert "\n30\n" in after.fault.seen
    assert "its 30 entries begin with the 10 that were seen is refused" in after.fault.words


@pytest.mark.parametrize(
    "how", [status(503), status(429), html], ids=["fails", "asks to wait", "captive portal"]
)
def test_a_service_that_can_not_be_reached_is_not_accused(witness: Witness, how: Lie) -> None:
    """However long that goes on: an outage is no evidence."""
    witness.grow(30)
    witness.launch()
    witness.service.lie("/v1/audit/proof", how)
    for hours in range(5):
        assert witness.check(later=hours * BEHIND_FOR).fault is None
    assert [head.size for head in witness.log().waiting] == [30]


def test_a_proof_that_comes_late_clears_the_service(witness: Witness) -> None:
    """A slow replica refused it once; the next head's time is its own."""
    witness.grow(30)
    witness.launch()
    witness.service.lie("/v1/audit/proof", status(404))
    assert [one.size for one in witness.check().refused] == [30]
    witness.service.honest()
    assert witness.check(later=BEHIND_FOR + 1).kept.size == 30
    witness.grow(40)
    witness.launch()
    witness.service.lie("/v1/audit/proof", status(404))
    assert witness.check(later=2 * BEHIND_FOR).fault is None


def test_a_head_without_an_answer_starves_no_other(witness: Witness) -> None:
    """The first call fails; the second head is proved all the same."""
    for size in (25, 30):
        witness.grow(size)
        witness.launch()
    answered: list[Answer] = []

    def only_the_first(answer: Answer) -> Answer:
        answered.append(answer)
        return Answer(503, b"") if len(answered) == 1 else answer

    witness.service.lie("/v1/audit/proof", only_the_first)
    after = witness.check()
    assert (after.kept.size, [head.size for head in after.waiting]) == (30, [25])
    assert witness.check().waiting == ()


def test_a_damaged_record_is_begun_anew(witness: Witness) -> None:
    """All state is input."""
    witness.world.replace(f"{DIRECTORY}/witness.json", b'{"schema": 1, "logs": [{"kept": "x"}]}')
    assert seen_logs(witness.world, DIRECTORY) == {}
    witness.launch()
    assert witness.log().kept.size == 10
