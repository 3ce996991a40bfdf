"""Challenges commit to everything that was shown, and to where it was shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.service.people.challenges import commitment

ITEM: dict[str, Any] = {
    "act": "approve",
    "object": "R-1",
    "tool": "claude",
    "zones": ["none"],
    "duration_for": 86_400,
}
BASE: dict[str, Any] = {"nonce": b"n" * 32, "session": "s_1", "purpose": "step-up", "items": [ITEM]}


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": b"m" * 32},
        {"session": "s_2"},
        {"purpose": "passkey"},
        {"items": []},
        {"items": [ITEM, ITEM]},
        {"items": [ITEM | {"object": "R-2"}]},
        {"items": [ITEM | {"zones": ["frontier-models", "none"]}]},
        {"items": [ITEM | {"duration_for": 86_401}]},
        {"items": [ITEM | {"act": "deny"}]},
    ],
)
def test_any_change_is_another_challenge(change: dict[str, Any]) -> None:
    """Id, scope, duration, verdict, order and number, session, purpose, nonce."""
    assert commitment(**(BASE | change)) != commitment(**BASE)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_two_splits_are_one(left: str, middle: str, right: str) -> None:
    """Moving characters from one part to its neighbour changes the hash: the parts are hashed each by itself."""
    whole = commitment(nonce=b"", session=left + middle, purpose=right, items=[])
    other = commitment(nonce=b"", session=left, purpose=middle + right, items=[])
    assert (whole == other) == (middle == "")
