"""Reviews: every entry met by different people, never for one's own, and only ever narrower."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.store.parts import code_of

from gatekeeper.service.access.reviews import (
    OPERATOR,
    STEP_UP,
    Approval,
    Case,
    Person,
    check_method,
    check_not_own,
    is_complete,
    may_meet,
    narrow_duration,
    narrow_zones,
    outstanding,
)
from gatekeeper.service.policy.limits import ReviewEntry

ZONES = st.lists(st.sampled_from(["none", "a", "b", "c"]), max_size=5).map(tuple)


NAMES = ("ada", "ben", "cleo", "dan", "eve")
GROUPS = ("security", "safety")
SOURCES = st.lists(
    st.sampled_from(["group:security", "group:safety", "manager"]), min_size=1, max_size=2
).map(tuple)
ENTRIES = st.lists(
    st.builds(
        lambda sources, needed: ReviewEntry(sources=sources, needed=needed), SOURCES, st.integers(1, 2)
    ),
    min_size=1,
    max_size=3,
).map(tuple)


def person(name: str, *groups: str, email: str = "", manager: str = "") -> Person:
    """Return a person with one account, or with an address that another account shares."""
    return Person(keys=frozenset({name, email} - {""}), groups=groups, manager=manager)


def entry(*sources: str, needed: int = 1) -> ReviewEntry:
    """Return one entry of `reviews`."""
    return ReviewEntry(sources=sources, needed=needed)


def by(one: Person, method: str = STEP_UP) -> Approval:
    """Return this person's approval."""
    return Approval(by=one, method=method)


SECURITY, MANAGER = entry("group:security"), entry("manager")
ADA = person("ada", manager="ben")
BEN = person("ben")
CLEO = person("cleo", "security")
DAN = person("dan", "security", "safety")


@pytest.mark.parametrize(
    ("method", "code"), [("operator", ""), ("step-up", ""), ("device", "GK405"), ("", "GK405")]
)
def test_by_what_means(method: str, code: str) -> None:
    """A workstation's credential is no means at all."""
    assert code_of(lambda: check_method(method)) == code


@pytest.mark.parametrize(
    ("reviewer", "code"),
    [
        (BEN, ""),
        (ADA, "GK405"),
        (person("ada-second", email="ada@acme.example"), "GK405"),
        (person("u_1", email="ada"), "GK405"),
    ],
)
def test_nobody_decides_about_their_own(reviewer: Person, code: str) -> None:
    """Under no account that shares an id, a name or an address with the subject."""
    subject = Person(keys=frozenset({"ada", "ada@acme.example"}))
    assert code_of(lambda: check_not_own(reviewer, [BEN, subject] if code else [subject])) == code


@pytest.mark.parametrize(
    ("entries", "approvals", "left"),
    [
        ((SECURITY,), [], (SECURITY,)),
        ((SECURITY,), [by(BEN)], (SECURITY,)),
        ((SECURITY,), [by(CLEO)], ()),
        ((MANAGER,), [by(BEN)], ()),
        ((MANAGER,), [by(CLEO)], (MANAGER,)),
        ((SECURITY, MANAGER), [by(CLEO)], (MANAGER,)),
        ((SECURITY, MANAGER), [by(CLEO), by(BEN)], ()),
        # One person of both groups counts once; which entry is theirs is chosen so that most are met.
        ((SECURITY, entry("group:safety")), [by(DAN)], (entry("group:safety"),)),
        ((SECURITY, entry("group:safety")), [by(DAN), by(CLEO)], ()),
        ((SECURITY, entry("group:safety")), [by(CLEO), by(DAN)], ()),
        ((entry("group:security", "group:safety"), SECURITY), [by(CLEO), by(person("eve", "safety"))], ()),
        ((entry("group:security", needed=2),), [by(CLEO)], (SECURITY,)),
        ((entry("group:security", needed=2),), [by(CLEO), by(DAN)], ()),
        # A second account of the same human is no second person.
        (
            (entry("group:security", needed=2),),
            [by(person("cleo", "security", email="c@x")), by(person("cleo-2", "security", email="c@x"))],
            (SECURITY,),
        ),
        # Nor does the subject count, in whatever group and by whatever account.
        ((SECURITY,), [by(person("ada", "security"))], (SECURITY,)),
        ((SECURITY,), [by(person("x", "security", email="ada"))], (SECURITY,)),
        # The operator's hand meets every entry.
        ((SECURITY, MANAGER, entry("group:safety", needed=3)), [by(BEN, OPERATOR)], ()),
        ((SECURITY,), [by(person("ada"), OPERATOR)], (SECURITY,)),
    ],
)
def test_what_the_approvals_leave(
    entries: tuple[ReviewEntry, ...], approvals: list[Approval], left: tuple[ReviewEntry, ...]
) -> None:
    """Every entry, each person once, nobody for themselves."""
    assert outstanding(Case(entries=entries, member=ADA), approvals) == left


def test_without_entries_only_the_operator_completes() -> None:
    """A policy that names no reviewers approves nobody by itself."""
    case = Case(entries=(), member=ADA)
    assert not is_complete(case, [])
    assert not is_complete(case, [by(CLEO)])
    assert not is_complete(case, [by(ADA, OPERATOR)])
    assert is_complete(case, [by(CLEO, OPERATOR)])


def test_whoever_asks_for_others_counts_as_their_manager_alone() -> None:
    """And never for themselves, nor for a workload, which has no manager."""
    ben = person("ben", "security")
    for_team = Case(entries=(SECURITY, MANAGER), member=ADA, requester=ben)
    assert outstanding(for_team, [by(ben)]) == (SECURITY,)
    assert not is_complete(
        Case(entries=(MANAGER,), member=person("ben", manager="ben"), requester=ben), [by(ben)]
    )
    workload = Case(entries=(SECURITY,), member=person("ci:web"), requester=ben)
    assert not may_meet(workload, ben)
    assert not may_meet(workload, person("ben-2", "security", email="ben"))
    assert may_meet(workload, CLEO)


def test_others_stand_in_for_the_manager_and_for_nobody_else() -> None:
    """Where policy escalates; two entries still need two people."""
    case = Case(entries=(MANAGER, entry("group:safety")), member=ADA, stand_in=("group:security",))
    assert outstanding(case, [by(CLEO)]) == (entry("group:safety"),)
    both = case.replace(entries=(MANAGER, SECURITY))
    assert outstanding(both, [by(CLEO)]) != ()
    assert outstanding(both, [by(CLEO), by(DAN)]) == ()


def _people(draw: st.DrawFn) -> list[Approval]:
    return [
        by(person(name, *draw(st.lists(st.sampled_from(GROUPS), unique=True))), draw(st.just(STEP_UP)))
        for name in draw(st.lists(st.sampled_from(NAMES), max_size=6))
    ]


@st.composite
def approvals(draw: st.DrawFn) -> list[Approval]:
    """Approvals of some people, some of them twice, in any order."""
    return _people(draw)


@given(entries=ENTRIES, given_by=approvals())
def test_complete_means_that_distinct_people_fill_every_place(
    entries: tuple[ReviewEntry, ...], given_by: list[Approval]
) -> None:
    """Compared with trying every assignment of people to places."""
    case = Case(entries=entries, member=ADA)
    people: dict[str, Person] = {}
    for one in given_by:
        (name,) = one.by.keys
        known = people.get(name)
        people[name] = one.by if known is None else known.replace(groups=known.groups + one.by.groups)
    places = [one for one in entries for _ in range(one.needed)]

    def fits(who: Person, place: ReviewEntry) -> bool:
        if "ada" in who.keys:
            return False
        return any(
            "ben" in who.keys if source == "manager" else source.removeprefix("group:") in who.groups
            for source in place.sources
        )

    possible = any(
        all(fits(who, place) for who, place in zip(chosen, places, strict=True))
        for chosen in permutations(people.values(), len(places))
    )
    assert is_complete(case, given_by) == possible


@given(entries=ENTRIES, given_by=approvals(), more=approvals())
def test_more_approvals_never_undo_one(
    entries: tuple[ReviewEntry, ...], given_by: list[Approval], more: list[Approval]
) -> None:
    """What was complete stays complete."""
    case = Case(entries=entries, member=ADA)
    if is_complete(case, given_by):
        assert is_complete(case, given_by + more)
        assert is_complete(case, more + given_by)


@given(
    asked=st.integers(1, 10_000),
    given_for=st.none() | st.integers(-5, 10_000),
    maximum=st.integers(1, 10_000),
)
def test_a_duration_is_never_widened(asked: int, given_for: int | None, maximum: int) -> None:
    """Neither beyond what was asked, nor beyond what policy allows today; nothing shorter is changed."""
    longest = min(asked, maximum)

    def narrowed() -> int:
        return narrow_duration(asked_for=asked, given_for=given_for, max_for=maximum)

    if given_for is None:
        assert narrowed() == longest
    elif 0 < given_for <= longest:
        assert narrowed() == given_for
    else:
        assert code_of(narrowed) == "GK410"


@given(asked=ZONES, narrower=st.none() | ZONES)
def test_zones_are_never_widened(asked: tuple[str, ...], narrower: tuple[str, ...] | None) -> None:
    """What results was asked for; what was not asked for is refused; none at all is refused."""

    def narrowed() -> tuple[str, ...]:
        return narrow_zones(asked=asked, given=narrower)

    if narrower is None:
        assert narrowed() == tuple(sorted(set(asked)))
    elif narrower and set(narrower) <= set(asked):
        assert narrowed() == tuple(sorted(set(narrower)))
    else:
        assert code_of(narrowed) == "GK410"
