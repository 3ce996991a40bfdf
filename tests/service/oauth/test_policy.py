"""The policy where tokens are issued: rules, stops and a change of policy reach a workstation with its next renewal."""

from __future__ import annotations

import pytest
from tests.service.local import POLICY, LocalService

from gatekeeper.documents.audit_entry import render_audit_entry
from gatekeeper.service.audit.log import entries
from gatekeeper.service.audit.names import texts_of
from gatekeeper.service.operate import policy as policies
from gatekeeper.service.operate import stop as stops
from gatekeeper.service.policy.files import PolicyFiles

RULES = """
@id("AI-01") @reason("Assistants from other vendors need special approval.")
permit (principal, action == Action::"launch", resource) when { context has grant };
@id("AI-03") permit (principal, action in [Action::"request", Action::"review"], resource);
@id("AI-07") @reason("Model code stays here.")
forbid (principal, action == Action::"launch", resource == Tool::"claude")
when { context.zone == Zone::"frontier-models" };
@id("AI-09") @reason("From the US only.")
forbid (principal, action == Action::"launch", resource == Tool::"gemini")
unless { principal has country && principal.country == "US" };
"""


@pytest.fixture
def ruled(local: LocalService) -> LocalService:
    """Give a service whose policy has rules of its own."""
    _apply(local, RULES)
    return local


def _apply(local: LocalService, rules: str, catalogue: str = POLICY) -> None:
    policies.apply(local.store, PolicyFiles(catalogue=catalogue, access=rules), now=local.now)


def test_a_refusal_has_the_policys_words(ruled: LocalService) -> None:
    """The missing approval's rule; and where no approval would help, that is said instead (GK310)."""
    station = ruled.workstation()
    refused = station.launch("claude").json()
    assert (refused["code"], refused["rule"], refused["reason"]) == (
        "GK301",
        "AI-01",
        "Assistants from other vendors need special approval.",
    )
    refused = station.launch("gemini").json()
    assert (refused["code"], refused["rule"], refused["reason"]) == ("GK310", "AI-09", "From the US only.")


def test_zones_are_written_into_the_token_by_rule(ruled: LocalService) -> None:
    """And the rule that let it launch outside them is named with the policy's version."""
    station = ruled.workstation()
    ruled.approve(station.request("claude").json()["id"])
    token = ruled.verified(station.launch("claude").json()["access_token"])
    assert token.policy == "AI-01@2"
    assert {one.rule for one in token.exclude} == {"AI-07", "zone:training-data"}


def test_a_change_of_policy_counts_at_the_next_renewal(ruled: LocalService) -> None:
    """Although verdicts are remembered; and the approval stands again when the change is taken back."""
    station = ruled.workstation()
    ruled.approve(station.request("claude").json()["id"])
    assert station.launch("claude").status_code == 200
    _apply(ruled, RULES + '@id("N") @reason("Not now.") forbid (principal, action, resource);')
    refused = station.launch("claude").json()
    assert (refused["code"], refused["rule"]) == ("GK310", "N")
    _apply(ruled, RULES)
    assert station.launch("claude").status_code == 200


def test_what_is_stopped_is_refused_and_nothing_is_lost(ruled: LocalService) -> None:
    """GK311 with whose decision it was and why, for the approved as for everybody; then all is as before."""
    station = ruled.workstation()
    ruled.approve(station.request("claude").json()["id"])
    stops.stop(ruled.store, "anthropic", versions="", reason="A breach was reported.", now=ruled.now)
    refused = station.launch("claude").json()
    assert (refused["code"], refused["by"], refused["reason"]) == (
        "GK311",
        "operator",
        "A breach was reported.",
    )
    assert "claude" not in station.launch("codex").json()["alternatives"]
    stops.resume(ruled.store, "anthropic", now=ruled.now)
    assert station.launch("claude").status_code == 200


def test_the_reason_of_a_stop_is_in_no_leaf(ruled: LocalService) -> None:
    """It is free text: the leaf has its salted hash, and the text stands beside the log."""
    stops.stop(ruled.store, "claude", versions="", reason="Eve leaked it.", now=ruled.now)
    with ruled.store.read() as tx:
        last = entries(tx)[-1]
        kept = texts_of(tx, [str(last.facts()["reason"])])
    assert last.act == "tool.stopped"
    assert b"Eve" not in render_audit_entry(last)
    assert [text for _, text in kept.values()] == ["Eve leaked it."]


def test_a_stopped_tool_is_shown_as_such(ruled: LocalService) -> None:
    """In the catalogue, whose tag changes with it, so that no workstation keeps the old one."""
    station = ruled.workstation()
    before = station.call("GET", "/v1/catalogue")
    stops.stop(ruled.store, "claude", versions="", reason="A breach.", now=ruled.now)
    after = station.call("GET", "/v1/catalogue")
    assert before.headers["etag"] != after.headers["etag"]


def test_stopped_versions_leave_the_token(ruled: LocalService) -> None:
    """The rest of them goes on."""
    station = ruled.workstation()
    ruled.approve(station.request("claude").json()["id"])
    stops.stop(ruled.store, "claude", versions="2.5.0", reason="It sends too much.", now=ruled.now)
    token = ruled.verified(station.launch("claude").json()["access_token"])
    assert all("2.5.0" in one.versions and ">=2.5.1" in one.versions for one in token.identities)
