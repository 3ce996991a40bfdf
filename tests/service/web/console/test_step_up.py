"""Step-up: nothing is decided without a passkey that signed this very list, or a fresh sign-in at the provider."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.fakes.authenticator import PRESENT
from tests.service.local import ISSUER, REASON, LocalService
from tests.service.web.console.visitor import Visitor, ask, options_of

from gatekeeper.documents.api import parse_request
from gatekeeper.service.audit.log import entries

pytestmark = pytest.mark.sqlite  # and on PostgreSQL what is marked so, too
OTHER = "c2V2ZXJ5dGhpbmcgZWxzZQ"


@pytest.fixture
def sam(local: LocalService) -> Visitor:
    """An approver with a passkey."""
    made = Visitor(local, "sam@acme.example", groups=("ai-security",))
    assert made.register().headers["location"] == "/devices"
    return made


def _state(local: LocalService, request: str = "R-1") -> str:
    station = Visitor(local, "noor@acme.example", groups=("ai-security",))
    page = station.get(f"/requests/{request}").text
    return next(word for word in ("pending", "approved", "denied") if f">{word}</span>" in page)


@pytest.mark.postgresql
def test_a_passkey_approves(local: LocalService, sam: Visitor) -> None:
    """From choosing to a grant: shown, signed, performed, and recorded with what was signed."""
    local.workstation().request()
    where = sam.choose("approve", "R-1").headers["location"]
    assert "ada@acme.example" in sam.get(where).text
    assert _state(local) == "pending"
    assert sam.confirm(where).headers["location"] == where
    assert "Approved" in sam.get(where).text
    assert _state(local) == "approved"
    with local.store.read() as tx:
        acts = {entry.act: entry for entry in entries(tx)}
    approved = acts["request.approved"]
    assert (approved.actor, dict(approved.detail)["method"]) == (sam.subject.id, "step-up")
    assert dict(acts["step-up.confirmed"].detail)["by"] == "passkey"
    assert local.workstation().launch("claude").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://gatekeeper.acme.example.evil.example"},
        {"rp_id": "evil.example"},
        {"challenge": OTHER},
        {"kind": "webauthn.create"},
        {"flags": PRESENT},
    ],
    ids=["origin", "relying-party", "challenge", "kind", "nobody-verified"],
)
def test_what_proves_nothing_decides_nothing(
    local: LocalService, sam: Visitor, wrong: dict[str, Any]
) -> None:
    """Each step done wrongly is refused, and the list can still be confirmed rightly afterwards."""
    local.workstation().request()
    where = sam.choose("approve", "R-1").headers["location"]
    refused = sam.confirm(where, **wrong)
    assert (refused.status_code, "GK405" in refused.text) == (403, True)
    assert _state(local) == "pending"
    assert sam.confirm(where).status_code == 303
    assert _state(local) == "approved"


def test_no_proof_at_all_decides_nothing(local: LocalService, sam: Visitor) -> None:
    """A session that began with a one-time code is not a fresh sign-in at the provider, however young."""
    local.workstation().request()
    where = sam.choose("approve", "R-1").headers["location"]
    assert sam.post(where).status_code == 403
    assert sam.post(where, credential="{}").status_code == 403
    assert sam.post(where, credential="x" * 20_000).status_code == 403
    assert _state(local) == "pending"


def test_a_signature_confirms_its_own_list_alone(local: LocalService, sam: Visitor) -> None:
    """What was signed for one list is refused for another; a list is confirmed once."""
    local.workstation().request()
    local.workstation("eve@acme.example").request()
    first = sam.choose("approve", "R-1").headers["location"]
    second = sam.choose("approve", "R-2").headers["location"]
    signed = sam.passkey.get(options_of(sam.get(first)))
    assert sam.post(second, credential=signed).status_code == 403
    assert sam.post(first, credential=signed).status_code == 303
    assert sam.post(first, credential=signed).status_code == 409
    assert (_state(local, "R-1"), _state(local, "R-2")) == ("approved", "pending")


def test_the_challenge_changes_with_the_list(local: LocalService, sam: Visitor) -> None:
    """A shorter duration, another scope or another verdict is another challenge."""
    local.workstation().request(zones=["frontier-models", "none"])
    ways = [
        {},
        {"duration": "5d"},
        {"narrow": "1", "zone-none": "1"},
    ]
    seen = {
        options_of(sam.get(sam.choose("approve", "R-1", **way).headers["location"]))["challenge"]
        for way in ways
    }
    assert len(seen) == len(ways)


def test_a_list_lasts_five_minutes(local: LocalService, sam: Visitor) -> None:
    """Later it is refused, and says so."""
    local.workstation().request()
    where = sam.choose("approve", "R-1").headers["location"]
    signed = sam.passkey.get(options_of(sam.get(where)))
    local.now += 300
    assert sam.post(where, credential=signed).status_code == 409
    assert "Begin again" in sam.get(where).text
    assert _state(local) == "pending"


def test_anothers_list_does_not_exist(local: LocalService, sam: Visitor) -> None:
    """Neither another person nor another session of the same person sees or confirms it."""
    local.workstation().request()
    where = sam.choose("approve", "R-1").headers["location"]
    for other in (
        Visitor(local, "noor@acme.example", groups=("ai-security",)),
        Visitor(local, "sam@acme.example", groups=("ai-security",)),
    ):
        assert other.get(where).status_code == 404
        assert other.post(where, credential=sam.passkey.get(options_of(sam.get(where)))).status_code == 404
    assert _state(local) == "pending"


def test_anothers_passkey_confirms_nothing(local: LocalService, sam: Visitor) -> None:
    """A valid signature of somebody else's registered passkey is refused; so is a removed one of one's own."""
    mira = Visitor(local, "mira@acme.example", groups=("ai-security",))
    mira.register()
    local.workstation().request()
    where = sam.choose("approve", "R-1").headers["location"]
    options = options_of(sam.get(where))
    assert sam.post(where, credential=mira.passkey.get(options)).status_code == 403
    page = sam.get("/devices").text
    passkey = page.split("/passkeys/p_")[1].split("/")[0]
    sam.post(f"/passkeys/p_{passkey}/remove")
    assert sam.post(where, credential=sam.passkey.get(options)).status_code == 403
    assert _state(local) == "pending"


def test_a_copied_authenticator_is_noticed(local: LocalService, sam: Visitor) -> None:
    """A counter that doesn't grow is refused (WebAuthn §7.2)."""
    local.workstation().request()
    local.workstation("eve@acme.example").request()
    assert sam.confirm(sam.choose("approve", "R-1").headers["location"]).status_code == 303
    sam.passkey.uses = 0
    assert sam.confirm(sam.choose("approve", "R-2").headers["location"]).status_code == 403


def test_a_fresh_sign_in_at_the_provider_suffices(local: LocalService) -> None:
    """Within five minutes of it, and not a second later."""
    local.workstation().request()
    local.workstation("eve@acme.example").request()
    fresh = Visitor(local, "sam@acme.example", groups=("ai-security",), method="oidc", age=300)
    assert fresh.post(fresh.choose("approve", "R-1").headers["location"]).status_code == 303
    stale = Visitor(local, "mira@acme.example", groups=("ai-security",), method="oidc", age=301)
    assert stale.post(stale.choose("approve", "R-2").headers["location"]).status_code == 403
    assert (_state(local, "R-1"), _state(local, "R-2")) == ("approved", "pending")


def test_the_own_request_is_nobodys_to_approve(local: LocalService) -> None:
    """Also for an approver."""
    sam = Visitor(local, "sam@acme.example", groups=("ai-security",), method="oidc")
    station = local.workstation("sam@acme.example")
    station.request()
    Visitor(local, "sam@acme.example", groups=("ai-security",))
    assert sam.choose("approve", "R-1").status_code == 404


@pytest.mark.postgresql
def test_a_hundred_at_once_and_no_more(local: LocalService, sam: Visitor) -> None:
    """One signature covers a hundred requests, each with its own audit entry; 101 are refused whole."""
    for number in range(101):
        ask(local, f"p{number}@acme.example")
    assert sam.choose("approve", *(f"R-{number}" for number in range(1, 102))).status_code == 422
    where = sam.choose("approve", *(f"R-{number}" for number in range(1, 101))).headers["location"]
    assert sam.confirm(where).status_code == 303
    with local.store.read() as tx:
        approved = [entry for entry in entries(tx, limit=5000) if entry.act == "request.approved"]
    assert len(approved) == 100


def test_what_changed_meanwhile_hinders_nothing_else(local: LocalService, sam: Visitor) -> None:
    """One of two was cancelled after the list was shown: the other is approved, and the page says both."""
    ada, eve = local.workstation(), local.workstation("eve@acme.example")
    ada.request()
    eve.request()
    where = sam.choose("approve", "R-1", "R-2").headers["location"]
    ada.call("POST", "/v1/requests/R-1/cancel")
    sam.confirm(where)
    page = sam.get(where).text
    assert "1 line could not be done" in page
    assert _state(local, "R-2") == "approved"


def test_a_code_registers_a_passkey_for_five_minutes(local: LocalService) -> None:
    """A session left open for longer can't add one."""
    fresh = Visitor(local, "sam@acme.example", groups=("ai-security",), age=300)
    assert fresh.register().status_code == 303
    stale = Visitor(local, "mira@acme.example", groups=("ai-security",), age=301)
    assert stale.register().status_code == 403


class TestApi:
    """`/v1/requests/{id}/reviews` and `/v1/grants/{id}/revoke`."""

    def test_a_workstation_can_not_decide(self, local: LocalService) -> None:
        """A valid, DPoP-bound credential of an approver's own device is no console session."""
        local.workstation().request()
        station = local.workstation("sam@acme.example")
        Visitor(local, "sam@acme.example", groups=("ai-security",))
        body = json.dumps({"verdict": "approve"}).encode()
        answer = station.call("POST", "/v1/requests/R-1/reviews", body=body)
        assert (answer.status_code, answer.json()["code"]) == (401, "GK201")
        local.approve("R-1")
        revoked = station.call("POST", "/v1/grants/G-1/revoke", body=b'{"reason":"No."}')
        assert (revoked.status_code, revoked.json()["code"]) == (401, "GK201")
        assert _state(local) == "approved"

    def test_a_fresh_sign_in_decides(self, local: LocalService) -> None:
        """Approve and revoke, from a page of ours."""
        local.workstation().request()
        sam = Visitor(local, "sam@acme.example", groups=("ai-security",), method="oidc")
        approved = sam.call("/v1/requests/R-1/reviews", {"verdict": "approve", "duration": "2d"})
        assert (approved.status_code, approved.json()["state"]) == (200, "approved")
        assert parse_request(approved.content).url == f"{ISSUER}/requests/R-1"
        revoked = sam.call("/v1/grants/G-1/revoke", {"reason": "The project ended."})
        assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")

    @pytest.mark.parametrize("age", [301, 86_400])
    def test_an_old_sign_in_does_not(self, local: LocalService, age: int) -> None:
        """`auth_time` counts, not that somebody is signed in."""
        local.workstation().request()
        sam = Visitor(local, "sam@acme.example", groups=("ai-security",), method="oidc", age=age)
        answer = sam.call("/v1/requests/R-1/reviews", {"verdict": "deny", "reason": REASON})
        assert (answer.status_code, answer.json()["code"]) == (403, "GK405")
        assert _state(local) == "pending"

    def test_a_developer_can_not(self, local: LocalService) -> None:
        """Anothers request doesn't exist; neither does the own one, as something to review."""
        local.workstation().request()
        for name in ("ada@acme.example", "eve@acme.example"):
            visitor = Visitor(local, name, groups=("dev",), method="oidc")
            answer = visitor.call("/v1/requests/R-1/reviews", {"verdict": "approve"})
            assert (answer.status_code, answer.json()["code"]) == (404, "GK409")

    @pytest.mark.parametrize(
        "members",
        [{"verdict": "perhaps"}, {"verdict": "approve", "duraton": "2d"}, {"verdict": 1}, {"zones": "none"}],
    )
    def test_what_is_malformed_is_refused(self, local: LocalService, members: dict[str, Any]) -> None:
        """Nothing is guessed."""
        local.workstation().request()
        sam = Visitor(local, "sam@acme.example", groups=("ai-security",), method="oidc")
        assert sam.call("/v1/requests/R-1/reviews", members).status_code == 400
        assert _state(local) == "pending"
