"""Reviews on a real database: every entry met by people who may, and what is never waved through."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import update
from tests.service.access.office import HOUR, Office
from tests.service.store.parts import DAY, at_once, code_of

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.claims import CLAIMED_FOR, claim_request, release_request
from gatekeeper.service.access.escalation import escalate_requests
from gatekeeper.service.access.inbox import reviews_something
from gatekeeper.service.access.requests import lapse_requests
from gatekeeper.service.people.subjects import ensure_subject
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.store.tables.people import subjects


def test_a_member_of_the_group_completes(office: Office) -> None:
    """One entry, one step-up, one grant."""
    reviewed = office.approve(office.ask())
    assert reviewed.complete
    assert [(one.kind, one.state) for one in reviewed.grants] == [("approved", "active")]


@pytest.mark.parametrize(
    ("name", "method", "code"),
    [
        ("ben", "step-up", "GK405"),  # of no group, and the tool doesn't ask the manager
        ("eve", "step-up", "GK405"),  # of another group
        ("ada", "step-up", "GK405"),
        ("ada", "operator", "GK405"),
        ("cleo", "device", "GK405"),
        ("ben", "operator", ""),
    ],
)
def test_who_may_approve(office: Office, name: str, method: str, code: str) -> None:
    """Those whom the policy names, by a step-up; or anybody else's name, by the operator's hand."""
    request = office.ask()
    before = office.acts()
    assert code_of(lambda: office.approve(request, name, method=method)) == code
    assert (office.acts() == before) == bool(code)


def test_security_and_the_manager(office: Office) -> None:
    """Both entries, in either order; until then the request is pending and nothing is granted."""
    request = office.ask(tool="managed")
    first = office.approve(request, "ben")
    assert (first.complete, first.grants, first.request.state) == (False, (), "pending")
    assert office.grants("ada") == []
    assert ("request.reviewed", request.id) in office.acts()
    assert office.approve(request, "cleo").complete
    assert [one.state for one in office.grants("ada")] == ["active"]


def test_one_person_counts_once(office: Office) -> None:
    """A manager who is of the security team meets one entry; whoever approved can't approve again."""
    office.person("ben", "security")
    request = office.ask(tool="managed")
    assert not office.approve(request, "ben").complete
    assert code_of(lambda: office.approve(request, "ben")) == "GK408"
    assert office.approve(request, "dan").complete


def test_a_second_account_is_no_second_person(office: Office) -> None:
    """Neither of the requester, nor of a reviewer: the verified address tells."""
    office.person("ada2", "security", email="ada@acme.example")
    request = office.ask()
    assert code_of(lambda: office.approve(request, "ada2")) == "GK405"
    assert office.inbox("ada2") == []
    office.person("dan2", "safety", email="dan@acme.example")
    zoned = office.ask(zones=("frontier",))
    office.approve(zoned, "dan")
    assert not office.approve(zoned, "dan2").complete
    assert not office.approve(zoned, "eve").complete, "dan and eve are two of three"
    assert office.approve(zoned, "cleo").complete


def test_a_zone_asks_for_more(office: Office) -> None:
    """Two of safety and one of security; dan is of both and counts once."""
    request = office.ask(zones=("frontier",))
    assert not office.approve(request, "dan").complete
    assert not office.approve(request, "eve").complete
    assert office.approve(request, "cleo").complete


def test_what_is_narrowed_away_needs_no_review(office: Office) -> None:
    """Without the zone its entries fall away; the grant is what all approvals give."""
    request = office.ask(zones=("frontier", "none"), duration="30d")
    office.approve(request, "dan", duration="20d")
    reviewed = office.approve(request, "cleo", zones=("none",), duration="5d")
    assert reviewed.complete
    assert reviewed.grants[0].zones == ("none",)
    assert reviewed.grants[0].ends_at - reviewed.grants[0].starts_at == 5 * DAY


def test_approvals_without_a_zone_in_common(office: Office) -> None:
    """Are refused where the second comes, and leave the request as it was."""
    request = office.ask(zones=("frontier", "none"))
    office.approve(request, "dan", zones=("frontier",))
    assert code_of(lambda: office.approve(request, "cleo", zones=("none",))) == "GK410"
    assert office.look(request).state == "pending"


def test_one_denial_denies(office: Office) -> None:
    """Whatever was approved before; and only by those who may."""
    request = office.ask(tool="managed")
    office.approve(request, "ben")
    assert code_of(lambda: office.deny(request, "eve")) == "GK405"
    assert office.deny(request, "cleo").state == "denied"
    assert code_of(lambda: office.approve(request, "dan")) == "GK408"


def test_a_rule_may_forbid_to_review(office: Office) -> None:
    """The policy's action `review`, beside the groups."""
    office.person("cleo", "security", "trainee")
    request = office.ask()
    assert code_of(lambda: office.approve(request)) == "GK405"
    assert office.inbox("cleo") == []


def test_leaving_the_team_takes_no_review_back(office: Office) -> None:
    """The groups of that moment count."""
    request = office.ask(tool="managed")
    office.approve(request, "cleo")
    office.person("cleo")
    assert office.approve(request, "ben").complete


def test_the_last_two_reviewers_at_once_make_one_grant(office: Office) -> None:
    """Whoever comes second completes; nobody makes a second grant."""
    for number in range(1, 5):
        request = office.ask(tool="managed")
        outcomes = at_once(*(partial(office.approve, request, name) for name in ("ben", "cleo")))
        assert [isinstance(one, GatekeeperError) for one in outcomes] == [False, False]
        assert sum(getattr(one, "complete", False) for one in outcomes) == 1
        assert len(office.grants("ada")) == number


@pytest.mark.parametrize(
    "manager", ["nobody@acme.example", "ada@acme.example", "gone@acme.example", "\u200b"]
)
def test_a_missing_manager_is_said_at_once(office: Office, manager: str) -> None:
    """The request goes to those whom policy escalates to, who may stand in for the manager and for nobody else."""
    with office.store.write() as tx:
        gone = ensure_subject(tx, "gone@acme.example", now=office.now)
        tx.execute(update(subjects).where(subjects.c.id == gone.id).values(state="deactivated"))
        attributes = {"manager": manager}
        tx.execute(
            update(subjects).where(subjects.c.id == office.people["ada"].id).values(attributes=attributes)
        )
    request = office.ask(tool="managed")
    assert office.look(request).escalated_at == office.now
    assert "request.escalated" in office.messages()
    (item,) = office.inbox("fay")
    assert "no manager of ada@acme.example" in item.notes[0]
    assert code_of(lambda: office.approve(request, "ben")) == "GK405"
    assert not office.approve(request, "fay").complete
    assert office.approve(request, "cleo").complete


def test_what_nobody_answers_is_escalated(office: Office) -> None:
    """After eight hours, once, and not while a question waits."""
    request = office.ask(tool="managed")
    asked = office.ask(tool="probe")
    office.question(asked)
    assert office.inbox("fay") == []

    def escalate() -> int:
        with office.store.write() as tx:
            return escalate_requests(tx, office.now)

    office.now += 8 * HOUR - 1
    assert escalate() == 0
    office.now += 1
    assert (escalate(), escalate()) == (1, 0)
    assert [item.request.id for item in office.inbox("fay")] == [request.id]


def test_a_claim_is_a_courtesy(office: Office) -> None:
    """It keeps another from claiming for half an hour, and nobody from deciding."""
    request = office.ask()

    def claim(name: str) -> str:
        with office.store.write() as tx:
            return claim_request(tx, request.id, reviewer=office.people[name], now=office.now).claimed_by

    assert claim("cleo") == office.people["cleo"].id
    assert code_of(lambda: claim("dan")) == "GK408"
    assert office.inbox("dan")[0].claimed_by == "cleo@acme.example"
    office.now += CLAIMED_FOR
    assert claim("dan") == office.people["dan"].id
    with office.store.write() as tx:
        release_request(tx, request.id, reviewer=office.people["cleo"], now=office.now)
        assert release_request(tx, request.id, reviewer=office.people["dan"], now=office.now).claimed_by == ""
    claim("dan")
    assert office.approve(request, "cleo").complete
    assert code_of(lambda: claim("dan")) == "GK408"


def test_a_question_stops_the_clock(office: Office) -> None:
    """The request has as much time left after the answer as it had before the question."""
    request = office.ask()
    office.days(6)
    assert office.question(request).state == "question"
    assert office.stand("ada", "probe").code == "GK407"
    office.days(30)
    with office.store.write() as tx:
        assert lapse_requests(tx, office.now) == 0
    assert code_of(lambda: office.approve(request)) == "GK408"
    answered = office.reply(request)
    assert (answered.state, answered.lapses_at) == ("pending", office.now + DAY)
    assert office.stand("ada", "probe").code == "GK401"
    office.days(1)
    assert office.look(request).state == "lapsed"


@pytest.mark.parametrize("end", ["deny", "cancel"])
def test_a_question_may_end_without_an_answer(office: Office, end: str) -> None:
    """Or it would stand for ever."""
    request = office.ask()
    office.question(request)
    assert code_of(lambda: office.question(request)) == "GK408"
    (office.deny if end == "deny" else office.cancel)(request, "cleo" if end == "deny" else "ada")
    assert code_of(lambda: office.reply(request)) == "GK408"


def test_who_may_ask_and_answer(office: Office) -> None:
    """Reviewers ask, the requester answers; nothing is no question."""
    request = office.ask()
    assert code_of(lambda: office.question(request, "eve")) == "GK405"
    assert code_of(lambda: office.question(request, "ada")) == "GK405"
    assert code_of(lambda: office.question(request, text=" \u200b")) == "GK404"
    assert code_of(lambda: office.reply(request)) == "GK408"
    office.question(request)
    assert code_of(lambda: office.reply(request, "cleo")) == "GK409"
    assert code_of(lambda: office.reply(request, text="")) == "GK404"
    assert office.look(request).state == "question"


def test_the_inbox_has_what_it_takes(office: Office) -> None:
    """Who, what the policy says, precedent, what is still needed; one's own never."""
    office.approve(office.ask("eve"))
    request = office.ask(zones=("frontier", "none"))
    (item,) = office.inbox("cleo")
    assert item.request.id == request.id
    assert item.subject.name == "ada@acme.example"
    assert (item.verdict.allowed, item.verdict.rule) == (True, "access:approval")
    assert [(entry.sources, entry.needed) for entry in item.outstanding] == [
        (("group:security",), 1),
        (("group:safety",), 2),
    ]
    office.ask("eve")
    found = {one.request.subject: one for one in office.inbox("cleo")}
    assert found[office.people["eve"].id].precedent.approved == 1
    assert office.inbox("ada") == []
    office.ask("cleo")
    assert office.people["cleo"].id not in {one.request.subject for one in office.inbox("cleo")}


def test_who_is_an_approver(office: Office) -> None:
    """Whoever policy names; and a manager, as long as somebody waits for them."""

    def approves(name: str) -> bool:
        with office.store.read() as tx:
            policy = current_policy(tx, now=office.now)
            return reviews_something(tx, policy, office.people[name], now=office.now)

    assert [approves(name) for name in ("cleo", "eve", "fay", "ada", "ben")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    office.ask(tool="managed")
    assert approves("ben")


def test_rules_of_asking(office: Office) -> None:
    """`request` refuses in the rule's words, `autoApprove` approves where it covers every zone."""
    office.person("con", "contractor")
    with pytest.raises(GatekeeperError, match="Contractors ask") as caught:
        office.ask("con")
    assert (caught.value.code, caught.value.facts["rule"]) == ("GK310", "T-3")
    office.person("tru", "trusted")
    request = office.ask("tru")
    assert (request.state, request.decided_by) == ("approved", "rule T-1@2")
    assert [(one.kind, one.state) for one in office.grants("tru")] == [("automatic", "active")]
    assert office.ask("tru", zones=("none", "frontier")).state == "pending"
