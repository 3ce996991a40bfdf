"""The standing of a tool: what is held here, corrected by what the service says."""

from __future__ import annotations

import pytest
from tests.cli.conftest import DAY, catalogue, grant_view, request_view
from tests.fakes.facts import HOUR, NOW, ROOT, token

from gatekeeper.cli.approvals import Standing, newest_first, standings
from gatekeeper.cli.held import Held
from gatekeeper.decision.facts import OWN, Absent
from gatekeeper.documents.api import GrantView, RequestView


def held(**changes: object) -> Held:
    """Make what a workstation holds with a token of claude."""
    made = Held(
        state=OWN, device=Absent(reason="-"), root=ROOT, tokens=(token(),), catalogue=catalogue(), clock=NOW
    )
    return made.replace(**changes)


def standing(
    tool: str,
    *,
    here: Held | None = None,
    grants: tuple[GrantView, ...] | None = None,
    requests: tuple[RequestView, ...] | None = None,
) -> Standing:
    """Return one tool's standing."""
    found = standings(here or held(), grants=grants, requests=requests)
    return next(one for one in found if one.tool == tool)


class TestFromHere:
    """Without the service."""

    def test_a_token_is_an_approval(self) -> None:
        """With the grant, its end, the token's end and when a renewal is due; known from the cache."""
        one = standing("claude")
        assert (one.state, one.access, one.grant, one.source) == ("approved", "approval", "G-1", "cache")
        assert one.grant_ends == NOW + 30 * DAY
        assert one.token_ends == NOW - 60 + DAY
        assert one.renew_by == NOW - 60 + 900
        assert one.usable

    @pytest.mark.parametrize(
        ("here", "state"),
        [
            (held(clock=NOW + 2 * DAY), "unproven"),
            (held(clock=NOW + 31 * DAY), "ended"),
            (held(root=Absent(reason="-")), "unproven"),
            (held(root=ROOT.replace(expires_at=NOW)), "unproven"),
            (held(tokens=()), "not approved"),
        ],
    )
    def test_what_would_not_launch_is_not_called_approved(self, here: Held, state: str) -> None:
        """A lease, a grant or a root document that is over, and no token at all."""
        one = standing("claude", here=here)
        assert one.state == state
        assert not one.usable

    def test_open_and_closed_tools(self) -> None:
        """The catalogue says it."""
        assert standing("house").state == "open"
        assert standing("crush").state == "closed"

    def test_a_token_of_a_tool_that_the_catalogue_lacks_is_shown(self) -> None:
        """Nothing that could launch is left out."""
        assert standing("claude", here=held(catalogue=None)).access == ""


class TestFromTheService:
    """What it says wins."""

    def test_an_active_grant(self) -> None:
        """Even where a later request was denied."""
        one = standing(
            "claude",
            grants=(grant_view(),),
            requests=(request_view(id="R-10", tool="claude", state="denied"),),
        )
        assert (one.state, one.grant, one.source) == ("approved", "G-1", "service")

    def test_the_longest_of_several_grants(self) -> None:
        """That is until when it may be used."""
        one = standing("claude", grants=(grant_view(), grant_view(id="G-2", ends_at=NOW + HOUR)), requests=())
        assert one.grant == "G-1"

    @pytest.mark.parametrize("state", ["revoked", "suspended", "expired"])
    def test_a_grant_that_is_over_takes_the_token_back(self, state: str) -> None:
        """By whom and why, although a token still stands here."""
        one = standing(
            "claude",
            grants=(grant_view(state=state, ended_by="sam@acme.example", ended_reason="over"),),
            requests=(request_view(id="R-9", tool="claude", state="approved", grant="G-1"),),
        )
        assert one.state == ("ended" if state == "expired" else state)
        assert (one.by, one.reason, one.usable) == ("sam@acme.example", "over", False)

    def test_a_newer_request_wins_over_an_older_end(self) -> None:
        """Asked again after a revocation: pending."""
        one = standing(
            "claude",
            grants=(grant_view(state="revoked"),),
            requests=(request_view(id="R-10", tool="claude"),),
        )
        assert (one.state, one.request) == ("pending", "R-10")

    def test_a_denial(self) -> None:
        """By whom and why."""
        denied = request_view(state="denied", decided_by="sam@acme.example", decision_reason="no")
        one = standing("codex", grants=(), requests=(denied,))
        assert (one.state, one.by, one.reason) == ("denied", "sam@acme.example", "no")

    def test_silence_leaves_what_is_here(self) -> None:
        """No answer is no refusal."""
        assert standing("claude", grants=None, requests=None) == standing("claude")


def test_ids_are_sorted_by_number() -> None:
    """R-10 is newer than R-9; an id that is none comes last."""
    found = newest_first([request_view(id=id_) for id_ in ("R-9", "?", "R-10", "R-99999999999999999999")])
    assert [one.id for one in found][:2] == ["R-10", "R-9"]
