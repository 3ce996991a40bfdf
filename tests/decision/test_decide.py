"""`decide`: the rules of a launch, one by one and as properties over all facts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.facts import HOUR, NOW, ROOT, UNREACHABLE, facts, token

from gatekeeper.codes import CODES
from gatekeeper.decision.decide import decide, raised_high_water, renew_afterwards, renewal_needed
from gatekeeper.decision.facts import FOREIGN, NONE, Absent, Allow
from gatekeeper.decision.obstacles import (
    DigestNeeded,
    Loop,
    NotInstalled,
    NotRecognised,
    Pending,
    Refuse,
    Refused,
    Renewed,
    Undetermined,
    Untrusted,
    WrongVersion,
)
from gatekeeper.documents.api import Problem
from gatekeeper.documents.launch_token import Exclusion


def test_fresh_token_launches_without_renewal() -> None:
    """A fresh token of a recognised tool needs nothing and is allowed."""
    assert renewal_needed(facts()) == ""
    assert isinstance(decide(facts()), Allow)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state": NONE}, "no state"),
        ({"high_water": None}, "no state"),
        ({"root": Absent(reason="gone")}, "no root document"),
        ({"root": ROOT.replace(expires_at=NOW)}, "root document expired"),
        ({"token": Absent(reason="gone")}, "no token"),
        ({"high_water": NOW + 301}, "clock behind"),
        ({"token": token(not_before=NOW + 61, issued_at=NOW + 361)}, "clock behind"),
        ({"token": token(issued_at=NOW - 900)}, "stale"),
        ({"token": token(expires_at=NOW)}, "stale"),
    ],
)
def test_renewal_comes_first(changes: dict[str, object], why: str) -> None:
    """Each reason for which a cached token alone doesn't suffice is named."""
    assert renewal_needed(facts(**changes)) == why


def test_foreign_state_is_never_renewed() -> None:
    """A copied state asks for a sign-in, it doesn't heal by itself."""
    copied = facts(state=FOREIGN, token=Absent(reason="foreign"))
    assert renewal_needed(copied) == ""
    assert decide(copied) == Undetermined(tool="claude", code="GK204")


REFUSALS: list[tuple[dict[str, object], type, str]] = [
    ({"renewal": Refused(code="GK301")}, Refuse, "GK301"),
    ({"renewal": Refused(code="GK401")}, Pending, "GK401"),
    ({"renewal": Refused(code="GK201")}, Undetermined, "GK201"),
    ({"renewal": Refused(code="GK399")}, Undetermined, "GK602"),
    ({"renewal": Untrusted(code="GK503", detail="older")}, Undetermined, "GK503"),
    ({"root": Absent(reason="none"), "renewal": UNREACHABLE}, Undetermined, "GK601"),
    ({"root": Absent(reason="pins", code="GK505")}, Undetermined, "GK505"),
    ({"root": ROOT.replace(expires_at=NOW), "renewal": UNREACHABLE}, Undetermined, "GK504"),
    ({"high_water": NOW + 301, "renewal": UNREACHABLE}, Undetermined, "GK702"),
    ({"high_water": None, "renewal": UNREACHABLE}, Undetermined, "GK601"),
    ({"token": Absent(reason="none"), "renewal": UNREACHABLE}, Undetermined, "GK601"),
    ({"token": Absent(reason="torn"), "renewal": Renewed()}, Undetermined, "GK701"),
    ({"token": token(not_before=NOW + 61), "renewal": UNREACHABLE}, Undetermined, "GK702"),
    ({"token": token(grant_ends=NOW), "renewal": UNREACHABLE}, Refuse, "GK308"),
    ({"token": token(expires_at=NOW - 61), "renewal": UNREACHABLE}, Undetermined, "GK601"),
    ({"token": token(confine="required")}, Undetermined, "GK804"),
    ({"exclusion": Exclusion(pattern="github.com/acme/*", rule="AI-07")}, Refuse, "GK306"),
    ({"executable": NotInstalled(names=("claude",)), "match": None}, Undetermined, "GK801"),
    ({"executable": Loop(path="/shim"), "match": None}, Undetermined, "GK802"),
    ({"match": WrongVersion(version="3.0.0", ranges=(">=2.1,<3",))}, Refuse, "GK304"),
    ({"match": NotRecognised(reason="another package")}, Refuse, "GK305"),
]


@pytest.mark.parametrize(("changes", "kind", "code"), REFUSALS)
def test_each_refusal(changes: dict[str, object], kind: type, code: str) -> None:
    """Each fact that speaks against a launch gives its own code."""
    decision = decide(facts(**changes))
    assert type(decision) is kind
    assert decision.code == code  # type: ignore[union-attr]
    assert code in CODES


def test_policy_is_decided_before_what_is_installed() -> None:
    """An excluded repository is refused as such even where the tool isn't installed."""
    decision = decide(
        facts(
            exclusion=Exclusion(pattern="x", rule="r"),
            executable=NotInstalled(names=("claude",)),
            match=None,
        )
    )
    assert isinstance(decision, Refuse)
    assert decision.code == "GK306"


def test_unreachable_service_launches_within_the_lease_and_says_so() -> None:
    """Between `fresh` and the lease's end an unreachable service doesn't stop a launch."""
    decision = decide(facts(token=token(issued_at=NOW - 2_000), renewal=UNREACHABLE))
    assert isinstance(decision, Allow)
    assert decision.unreachable == UNREACHABLE


def test_problem_travels_with_the_refusal() -> None:
    """What the service said about a refusal reaches the notice."""
    problem = Problem(code="GK307", status=403, title="revoked", detail="Revoked.", rule="AI-01")
    decision = decide(facts(renewal=Refused(code="GK307", problem=problem)))
    assert decision == Refuse(tool="claude", code="GK307", detail="Revoked.", rule="AI-01", problem=problem)


@pytest.mark.parametrize("match", [None, DigestNeeded()])
def test_uncompared_executable_is_a_bug(match: DigestNeeded | None) -> None:
    """An executable that nobody compared is never launched by omission."""
    with pytest.raises(RuntimeError):
        decide(facts(match=match))


def test_a_decision_has_no_truth() -> None:
    """`if decide(...)` would always be true, so it raises."""
    with pytest.raises(RuntimeError):
        bool(decide(facts()))


@given(back=st.integers(min_value=0, max_value=10**8), age=st.integers(min_value=0, max_value=3 * 10**5))
def test_time_backwards_never_extends(back: int, age: int) -> None:
    """What is not allowed now is not allowed by turning the clock back, with the mark that stands."""
    held = token(issued_at=NOW - age, not_before=NOW - age - 300, expires_at=NOW - age + 24 * HOUR)
    today = facts(token=held, high_water=NOW, newest_signed_at=NOW - age, renewal=UNREACHABLE)
    if not isinstance(decide(today), Allow):
        assert not isinstance(decide(today.replace(now=NOW - back)), Allow)


@given(
    change=st.sampled_from([changes for changes, _, _ in REFUSALS]),
    other=st.sampled_from([changes for changes, _, _ in REFUSALS]),
)
def test_two_reasons_never_make_a_yes(change: dict[str, object], other: dict[str, object]) -> None:
    """Facts that refuse one by one refuse together, whatever their order."""
    both = {**change, **other}
    if "executable" in both and "match" in both:
        both["match"] = None
    assert not isinstance(decide(facts(**both)), Allow)


def test_renewal_starts_after_half_of_fresh() -> None:
    """A launch with a token past half of its soft limit renews afterwards, a younger one does not."""
    assert not renew_afterwards(facts(token=token(issued_at=NOW - 450)))
    assert renew_afterwards(facts(token=token(issued_at=NOW - 451)))
    assert not renew_afterwards(facts(token=token(issued_at=NOW - 451), renewal=Renewed()))
    assert not renew_afterwards(facts(token=Absent(reason="none")))


def test_high_water_rises_by_steps_and_is_capped() -> None:
    """The mark is written when it grew by a minute, and never past newest signed time plus lease."""
    assert raised_high_water(facts(high_water=NOW - 59)) is None
    assert raised_high_water(facts(high_water=NOW - 60)) == NOW
    years_ahead = facts(now=NOW + 10**8, newest_signed_at=NOW - 60)
    assert raised_high_water(years_ahead) == NOW - 60 + 24 * HOUR
    assert raised_high_water(facts(token=Absent(reason="none"))) is None
