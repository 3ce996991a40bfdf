"""Reviews: never one's own, only by the operator as yet, and only ever narrower."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.store.parts import code_of

from gatekeeper.service.access.reviews import check_method, check_review, narrow_duration, narrow_zones

ZONES = st.lists(st.sampled_from(["none", "a", "b", "c"]), max_size=5).map(tuple)


@pytest.mark.parametrize(
    ("reviewer", "subject", "method", "code"),
    [
        ("u_1", "u_2", "operator", ""),
        ("u_1", "u_1", "operator", "GK405"),
        ("u_1", "u_2", "step-up", "GK405"),
        ("u_1", "u_2", "", "GK405"),
        ("u_1", "u_1", "step-up", "GK405"),
    ],
)
def test_who_may_review(reviewer: str, subject: str, method: str, code: str) -> None:
    """Another than the subject, with the operator's hand."""
    assert code_of(lambda: check_review(reviewer_id=reviewer, subject_id=subject, method=method)) == code


@pytest.mark.parametrize(("method", "code"), [("operator", ""), ("device", "GK405")])
def test_by_what_means(method: str, code: str) -> None:
    """A workstation's credential is no means at all."""
    assert code_of(lambda: check_method(method)) == code


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
