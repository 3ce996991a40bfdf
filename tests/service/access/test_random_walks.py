"""Many people act at random for weeks; whatever they do, the promises hold after each act."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from sqlalchemy import select
from tests.service.access.office import Office
from tests.service.store.parts import code_of

from gatekeeper.service.access.escalation import escalate_requests
from gatekeeper.service.access.grants import expire_grants
from gatekeeper.service.access.lifecycle import GRANT_ARROWS, REQUEST_ARROWS
from gatekeeper.service.access.requests import lapse_requests
from gatekeeper.service.store.tables.access import grants, requests, reviews

NAMES = ("ada", "ben", "cleo", "dan", "eve", "gus", "hal")
TOOLS = ("probe", "managed", "seated")
STEPS = 120
_EXPECTED = {"", "GK405", "GK408", "GK409", "GK410"}


class Walk:
    """An office and a die."""

    def __init__(self, office: Office, seed: int) -> None:
        self.office = office
        self.die = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self.states: dict[tuple[str, int], str] = {}

    def step(self) -> str:
        """Do one thing at random; return the code of its refusal."""
        office, die = self.office, self.die
        name, request = die.choice(NAMES), f"R-{die.randint(1, 30)}"
        acts: list[Callable[[], object]] = [
            lambda: office.ask(name, die.choice(TOOLS), zones=die.choice([(), ("none", "frontier")])),
            lambda: office.ask(name, die.choice(TOOLS), group="web"),
            lambda: office.approve(request, name),
            lambda: office.approve(request, name),
            lambda: office.approve(request, name, method="operator"),
            lambda: office.deny(request, name),
            lambda: office.question(request, name),
            lambda: office.reply(request, name),
            lambda: office.cancel(request, name),
            lambda: office.revoke(die.choice(office.grants(name) or office.grants("ada"))),
            lambda: office.suspend(die.choice(office.grants(name) or office.grants("ada"))),
            self._time,
        ]
        try:
            return code_of(die.choice(acts))
        except IndexError:
            return ""  # nobody has a grant yet

    def _time(self) -> None:
        self.office.now += self.die.choice([60, 9 * 3600, 4 * 86_400])
        with self.office.store.write() as tx:
            lapse_requests(tx, self.office.now)
            escalate_requests(tx, self.office.now)
            expire_grants(tx, self.office.now)
        self.office.sweep()

    def check(self) -> None:
        """Check every promise."""
        office = self.office
        seats = office.seats()
        assert seats.taken <= 2
        with office.store.read() as tx:
            asked = {row.number: row for row in tx.execute(select(requests))}
            given = tx.execute(select(grants)).all()
            reviewed = tx.execute(select(reviews)).all()
        for grant in given:
            assert asked[grant.request].state == "approved"
            own = [one for one in reviewed if one.request == grant.request and one.method == "operator"]
            assert all(one.reviewer != grant.subject for one in own)
        by_request = {number: {one.subject for one in given if one.request == number} for number in asked}
        assert all(by_request[number] for number, row in asked.items() if row.state == "approved")
        for review in reviewed:
            # Whoever is the only one of a request never decides about it; a team's member may, for the others.
            assert asked[review.request].team or review.reviewer != asked[review.request].subject
        self._check_arrows("request", {n: (r.state, r.question_at) for n, r in asked.items()})
        self._check_arrows("grant", {one.number: (one.state, None) for one in given})

    def _check_arrows(self, kind: str, now: dict[int, tuple[str, int | None]]) -> None:
        arrows = REQUEST_ARROWS if kind == "request" else GRANT_ARROWS
        legal = {(before, after) for (before, _), after in arrows.items()}
        for number, (stored, question_at) in now.items():
            state = "question" if stored == "pending" and question_at is not None else stored
            before = self.states.get((kind, number), state)
            assert before == state or _reaches(before, state, legal), f"{kind} {number}: {before} to {state}"
            self.states[kind, number] = state


def _reaches(before: str, after: str, legal: set[tuple[str, str]]) -> bool:
    """Say whether one step leads there, or two: one act may be followed at once by what it frees."""
    return (before, after) in legal or any(
        (before, middle) in legal and (middle, after) in legal for _, middle in legal
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_promises_hold_after_every_act(office: Office, seed: int) -> None:
    """Seats, one's own, arrows, a grant for what was approved: and nothing is refused for another reason than said."""
    for name in ("gus", "hal"):
        office.person(name, "web", manager="ben@acme.example")
    walk = Walk(office, seed)
    codes = set()
    for _ in range(STEPS):
        codes.add(walk.step())
        walk.check()
    assert codes <= _EXPECTED
    assert len(office.acts()) > STEPS // 3
