"""`review`: the inbox is read here, and decided elsewhere."""

from __future__ import annotations

import pytest
from tests.cli.conftest import Desk, request_view


def waiting_one(**changes: object) -> object:
    """Return a request as a reviewer sees it."""
    return request_view(
        verdict="allows (AI-01)",
        precedent="3 approved, 0 denied in 90 days",
        device="laptop",
        groups=("web",),
        waits_for=("1 of security",),
        **changes,
    )


def test_the_inbox_is_listed(desk: Desk) -> None:
    """With the policy's verdict, precedent, and where to decide."""
    desk.calls.waiting = (waiting_one(),)  # type: ignore[assignment]
    status, out, err = desk.run("review", "list")
    assert status == 0
    for words in ("R-1", "ada@acme.example", "allows (AI-01)", "3 approved"):
        assert words in out
    assert "https://gk.acme.example/inbox" in err
    status, found = desk.json("review", "list")
    assert (status, found["requests"][0]["verdict"]) == (0, "allows (AI-01)")


def test_an_empty_inbox(desk: Desk) -> None:
    """Is no error."""
    assert desk.run("review", "list")[:2] == (0, "Nothing waits for your review.\n")


def test_one_is_shown(desk: Desk) -> None:
    """In full."""
    status, out, _ = desk.run("review", "show", "r-7")
    assert (status, desk.calls.asked) == (0, [("request", "R-7")])
    assert "Refactor the billing service" in out


@pytest.mark.parametrize("verb", ["approve", "deny"])
@pytest.mark.parametrize(("state", "status"), [("approved", 0), ("denied", 3), ("pending", 5)])
def test_a_decision_is_waited_for(desk: Desk, verb: str, state: str, status: int) -> None:
    """The page's address is printed, nothing is decided from here, and the outcome is told."""
    desk.calls.answer = request_view(state=state, decided_by="sam@acme.example" if state != "pending" else "")
    given, out, err = desk.run("review", verb, "R-1")
    assert given == status
    assert "https://gk.acme.example/requests/R-1" in err
    assert f"R-1 {'is' if state == 'pending' else 'was'} {state}" in out
    assert desk.calls.names() == ["request", "wait_for"]


def test_several_are_decided_in_the_inbox(desk: Desk) -> None:
    """Each is waited for once."""
    _, _, err = desk.run("review", "approve", "R-1", "R-2", "R-1")
    assert "https://gk.acme.example/inbox" in err
    assert desk.calls.names() == ["request", "request", "wait_for", "wait_for"]


@pytest.mark.parametrize("arguments", [("approve", "x"), ("approve",), ("revoke", "R-1"), ("show", "G-1")])
def test_what_is_no_id(desk: Desk, arguments: tuple[str, ...]) -> None:
    """Exit 2, and nothing is asked."""
    assert desk.run("review", *arguments)[0] == 2
    assert desk.calls.asked == []


def test_revoking_names_the_page(desk: Desk) -> None:
    """A grant is revoked in the console as well."""
    status, _, err = desk.run("review", "revoke", "g-12")
    assert status == 0
    assert "https://gk.acme.example/grants" in err


def test_ctrl_c_leaves_it_as_it_is(desk: Desk) -> None:
    """130, with the command to look again."""
    desk.calls.answer = KeyboardInterrupt()
    status, _, err = desk.run("review", "approve", "R-1")
    assert status == 130
    assert "gatekeeper review show R-1" in err
