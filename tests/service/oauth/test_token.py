"""The token endpoint: enrolling, renewing, launch tokens, refusals and what they leave behind."""

from __future__ import annotations

import pytest
from tests.service.local import CLIENT, ISSUER, NOW, LocalService, Workstation

from gatekeeper.documents.audit_entry import render_audit_entry
from gatekeeper.service.audit.log import entries
from gatekeeper.service.audit.names import texts_of
from gatekeeper.service.oauth.attempts import PER_ADDRESS, WINDOW_SECONDS
from gatekeeper.service.operate.erase import erase_subject
from gatekeeper.service.web.console.events_seen import refusals_by_code
from gatekeeper.trust.sign import SigningKey


def acts(local: LocalService) -> list[str]:
    """Return the acts on record."""
    with local.store.read() as tx:
        return [entry.act for entry in entries(tx)]


def test_a_code_signs_a_device_in(local: LocalService) -> None:
    """A code gives a DPoP-bound access token of ten minutes and a refresh token, and is recorded."""
    station = Workstation(local)
    answer = station.redeem(local.invite())
    members = answer.json()
    assert answer.status_code == 200
    assert (members["token_type"], members["expires_in"]) == ("DPoP", 600)
    assert answer.headers["cache-control"] == "no-store"
    assert station.call("GET", "/v1/me").json()["name"] == "ada@acme.example" == members["name"]
    assert "device.enrolled" in acts(local)


def test_a_code_works_for_one_device(local: LocalService) -> None:
    """A used code is refused to another key, and given again to the same key for ten minutes."""
    code = local.invite()
    first, second = Workstation(local), Workstation(local)
    device = first.redeem(code).json()["device"]
    assert second.redeem(code).json()["code"] == "GK203"
    assert first.redeem(code).json()["device"] == device
    local.now += 601
    assert first.redeem(code).json()["code"] == "GK203"


def test_an_expired_code_is_refused(local: LocalService) -> None:
    """A code ends."""
    code = local.invite()
    local.now += 86_401
    station = Workstation(local)
    answer = station.redeem(code)
    assert (answer.status_code, answer.json()["code"], answer.json()["error"]) == (
        400,
        "GK203",
        "invalid_grant",
    )


def test_wrong_used_and_expired_codes_sound_alike(local: LocalService) -> None:
    """Nothing in the answer says which of the three it was."""
    used, expired = local.invite(), local.invite("sam@acme.example")
    Workstation(local).redeem(used)
    bodies = [Workstation(local).redeem(code).content for code in ("0000-0000-0000-0000", used)]
    local.now += 90_000
    bodies.append(Workstation(local).redeem(expired).content)
    assert len(set(bodies)) == 1


def test_guessing_is_limited_for_an_address(local: LocalService) -> None:
    """After ten wrong codes the next wrong one waits, from this address alone, and only for a while."""
    station = Workstation(local)
    for _ in range(PER_ADDRESS):
        assert station.redeem("0000-0000-0000-0000").json()["code"] == "GK203"
    limited = station.redeem("0000-0000-0000-0000")
    assert (limited.status_code, limited.json()["code"]) == (429, "GK206")
    assert limited.headers["retry-after"] == str(limited.json()["retry_after"]) == str(WINDOW_SECONDS)
    assert "Wait 10 minutes" in limited.json()["detail"]
    elsewhere = Workstation(local, address="198.51.100.9")
    assert elsewhere.redeem("0000-0000-0000-0000").json()["code"] == "GK203"
    local.now += WINDOW_SECONDS - 60
    assert "Wait 1 minute " in station.redeem("0000-0000-0000-0000").json()["detail"]
    local.now += 60
    assert station.redeem("0000-0000-0000-0000").json()["code"] == "GK203"


def test_one_who_guesses_locks_nobody_out(local: LocalService, monkeypatch: pytest.MonkeyPatch) -> None:
    """A right code is redeemed from behind the same address, and whatever was counted in all; a used one is a guess."""
    monkeypatch.setattr("gatekeeper.service.oauth.attempts.IN_ALL", PER_ADDRESS)
    code = local.invite()
    for _ in range(PER_ADDRESS):
        Workstation(local).redeem("0000-0000-0000-0000")
    assert Workstation(local).redeem("0000-0000-0000-0000").json()["code"] == "GK206"
    assert Workstation(local).redeem(code).status_code == 200
    assert Workstation(local).redeem(code).json()["code"] == "GK206"


def test_a_flood_of_guesses_stops_even_a_right_one(
    local: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much of a code is known, not many can be tried: then none is looked up until the window is over."""
    monkeypatch.setattr("gatekeeper.service.oauth.attempts.FLOOD", 2)
    code = local.invite()
    for _ in range(2 * PER_ADDRESS):
        Workstation(local).redeem("0000-0000-0000-0000")
    assert Workstation(local).redeem(code).json()["code"] == "GK206"
    local.now += WINDOW_SECONDS
    assert Workstation(local).redeem(code).status_code == 200


def test_guessing_is_limited_in_all(local: LocalService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many addresses together are limited too; a network of one subscriber counts as one address."""
    monkeypatch.setattr("gatekeeper.service.oauth.attempts.IN_ALL", 3)
    for last in range(3):
        Workstation(local, address=f"192.0.2.{last}").redeem("0000-0000-0000-0000")
    last_one = Workstation(local, address="198.51.100.1").redeem("0000-0000-0000-0000")
    assert last_one.json()["code"] == "GK206"


def test_an_ipv6_network_is_one_address(local: LocalService) -> None:
    """Addresses of one /64 share their guesses."""
    for last in range(PER_ADDRESS):
        Workstation(local, address=f"2001:db8:1:2::{last + 1:x}").redeem("0000-0000-0000-0000")
    wrong = "0000-0000-0000-0000"
    assert Workstation(local, address="2001:db8:1:2:ffff::1").redeem(wrong).json()["code"] == "GK206"
    assert Workstation(local, address="2001:db8:1:3::1").redeem(wrong).json()["code"] == "GK203"


def test_a_refresh_gives_a_new_access_token_and_keeps_itself(local: LocalService) -> None:
    """Refresh tokens aren't rotated: the same one works again."""
    station = local.workstation()
    first = station.access
    assert "refresh_token" not in station.renew().json()
    assert station.renew().status_code == 200
    assert station.access != first
    assert station.call("GET", "/v1/me").status_code == 200


def test_another_key_is_refused_and_recorded(local: LocalService) -> None:
    """A refresh token with another device's key is refused as signed out, and the record says so."""
    station = local.workstation()
    thief = Workstation(local)
    thief.refresh, thief.access = station.refresh, station.access
    answer = thief.renew()
    assert (answer.status_code, answer.json()["code"], answer.json()["error"]) == (
        400,
        "GK201",
        "invalid_grant",
    )
    assert acts(local)[-1] == "refresh.wrong_key"
    assert thief.call("GET", "/v1/me").status_code == 401
    assert acts(local)[-1] == "access.wrong_key"
    assert station.renew().status_code == 200


def test_a_refusal_uses_the_proof_up(local: LocalService) -> None:
    """A proof of a refused call can't be sent again."""
    station = local.workstation()
    proof = station.proof("POST", "/oauth/token")
    fields = {"grant_type": "refresh_token", "client_id": CLIENT, "refresh_token": "wrong"}
    assert station.form("/oauth/token", fields, proof=proof).json()["code"] == "GK201"
    fields["refresh_token"] = station.refresh
    again = station.form("/oauth/token", fields, proof=proof)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_dpop_proof")


def test_a_signed_out_device_gets_nothing(local: LocalService) -> None:
    """Revoking the refresh token ends the access token too; doing it again, or for nothing, is a success."""
    station = local.workstation()
    fields = {"client_id": CLIENT, "token": station.refresh}
    assert station.form("/oauth/revoke", fields).status_code == 200
    assert station.form("/oauth/revoke", fields).status_code == 200
    assert station.renew().json()["code"] == "GK201"
    assert station.call("GET", "/v1/me").status_code == 401
    assert Workstation(local).form("/oauth/revoke", fields).status_code == 200


def test_another_key_revokes_nothing(local: LocalService) -> None:
    """A token is revoked only with the key that it is bound to."""
    station = local.workstation()
    assert (
        Workstation(local).form("/oauth/revoke", {"client_id": CLIENT, "token": station.refresh}).status_code
        == 200
    )
    assert station.renew().status_code == 200


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password", "client_id": CLIENT}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x", "client_id": "other"}, "invalid_client"),
        ({"grant_type": "refresh_token", "client_id": CLIENT}, "invalid_request"),
        (
            {"grant_type": "urn:gatekeeper:grant-type:invite", "client_id": CLIENT, "code": "x"},
            "invalid_request",
        ),
    ],
)
def test_a_malformed_form_is_answered_as_rfc_6749(
    local: LocalService, fields: dict[str, str], error: str
) -> None:
    """What can't be understood is a 400 with RFC 6749's word and GK604, which deletes no token at the client."""
    answer = Workstation(local).form("/oauth/token", fields)
    assert (answer.status_code, answer.json()["error"], answer.json()["code"]) == (400, error, "GK604")
    assert answer.json()["error_description"]


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"scope": "launch:claude"}, "invalid_scope"),
        ({"resource": "https://other.acme.example/launch", "scope": "launch:claude"}, "invalid_target"),
        ({"resource": f"{ISSUER}/launch"}, "invalid_scope"),
        ({"resource": f"{ISSUER}/launch", "scope": "launch:"}, "invalid_scope"),
        ({"resource": f"{ISSUER}/launch", "scope": "launch:claude launch:codex"}, "invalid_scope"),
        ({"resource": f"{ISSUER}/launch", "scope": "launch:" + "x" * 65}, "invalid_scope"),
        ({"resource": f"{ISSUER}/launch", "scope": "launch:cl\x1baude"}, "invalid_scope"),
        ({"resource": f"{ISSUER}/launch", "scope": "launch:aider", "lease": "soon"}, "invalid_request"),
        ({"resource": f"{ISSUER}/launch", "scope": "launch:aider", "lease": "0"}, "invalid_request"),
    ],
)
def test_a_malformed_launch_is_no_refusal(local: LocalService, more: dict[str, str], error: str) -> None:
    """A call that can't be understood is GK604, never a GK3xx that would delete a token."""
    answer = local.workstation().renew(**more)
    assert (answer.status_code, answer.json()["error"], answer.json()["code"]) == (400, error, "GK604")


def test_the_order_of_refusals(local: LocalService) -> None:
    """Not in the catalogue, closed, nothing asked, pending, granted, revoked: each its own code."""
    station = local.workstation()
    codes = {tool: station.launch(tool).json()["code"] for tool in ("nope", "codex", "claude")}
    assert codes == {"nope": "GK302", "codex": "GK303", "claude": "GK301"}
    request = station.request().json()["id"]
    waiting = station.launch("claude").json()
    assert (waiting["code"], waiting["error"]) == ("GK401", "authorization_pending")
    assert waiting["request"] == request
    assert "request_url" not in waiting, "no page of the service shows a request yet"
    grant = local.approve(request)
    assert station.launch("claude").status_code == 200
    local.revoke(grant)
    over = station.launch("claude").json()
    assert (over["code"], over["by"], over["reason"]) == ("GK307", "sam@acme.example", "The project ended.")


def test_a_refusal_helps_to_go_on(local: LocalService) -> None:
    """A refusal names the tool, what may be launched today instead, and a reference that the record has."""
    station = local.workstation()
    local.approve(station.request("gemini").json()["id"])
    refusal = station.launch("claude").json()
    assert refusal["tool"] == "claude"
    assert refusal["alternatives"] == ["aider", "gemini"]
    with local.store.read() as tx:
        last = entries(tx)[-1]
    detail = dict(last.detail)
    assert (last.act, last.object, detail["code"], detail["ref"]) == (
        "launch_token.refused",
        "claude",
        "GK301",
        refusal["ref"],
    )


def test_a_word_that_the_catalogue_lacks_can_be_erased(local: LocalService) -> None:
    """It may be anything, a name too: the answer says it, the leaf only its salted hash."""
    refusal = local.workstation().launch("eve@acme.example").json()
    assert (refusal["code"], refusal["tool"]) == ("GK302", "eve@acme.example")
    with local.store.read() as tx:
        last = entries(tx)[-1]
        kept = texts_of(tx, [str(last.facts()["word"])])
        counted = refusals_by_code(tx, since=0)
    assert (last.act, last.object) == ("launch_token.refused", "unknown")
    assert b"eve@" not in render_audit_entry(last)
    assert [text for _, text in kept.values()] == ["eve@acme.example"]
    assert counted == {"GK302": 1}
    erase_subject(local.store, "ada@acme.example", now=local.now)
    with local.store.read() as tx:
        assert texts_of(tx, kept) == {}


def test_an_open_tool_needs_no_grant(local: LocalService) -> None:
    """An open tool's token names no grant, and refuses every zone."""
    station = local.workstation()
    token = local.verified(station.launch("aider").json()["access_token"])
    assert (token.grant, token.grant_ends, token.locations) == ("", None, ("*",))
    assert {one.rule for one in token.exclude} == {"zone:frontier-models", "zone:training-data"}


def test_a_revoked_device_is_told_so(local: LocalService) -> None:
    """A revoked device gets GK202, which deletes its tokens; its enrolled siblings go on."""
    first = local.workstation()
    second = local.workstation(device="desktop")
    device = first.call("GET", "/v1/me").json()["device"]
    assert second.call("POST", f"/v1/devices/{device}/revoke").json()["state"] == "revoked"
    assert first.launch("aider").json()["code"] in {"GK201", "GK202"}
    assert second.launch("aider").status_code == 200
    assert "device.revoked" in acts(local)


def test_nothing_is_issued_when_the_root_document_is_over(local: LocalService) -> None:
    """Once the root document has ended, nothing that would not be believed is signed: 503, so clients say unreachable."""
    station = local.workstation()
    local.now = NOW + 100 * 86_400
    # The refresh token idles out long before a root document: sign in anew.
    station.redeem(local.invite())
    answer = station.launch("aider")
    assert (answer.status_code, answer.json()["code"]) == (503, "GK504")


def test_one_issuance_leaves_one_entry(local: LocalService) -> None:
    """Each token issued is one durable entry with its jti; the token itself is in no table."""
    station = local.workstation()
    issued = station.launch("aider").json()["access_token"]
    with local.store.read() as tx:
        found = [entry for entry in entries(tx) if entry.act == "launch_token.issued"]
    assert [dict(entry.detail)["jti"] for entry in found] == [local.verified(issued).jti]


def test_a_key_without_its_proof_is_nobody(local: LocalService) -> None:
    """A form signed by a key that never enrolled gets no further than the sign-in."""
    station = local.workstation()
    answer = station.form(
        "/oauth/token",
        {"grant_type": "refresh_token", "client_id": CLIENT, "refresh_token": station.refresh},
        key=SigningKey.generate(),
    )
    assert answer.json()["code"] == "GK201"
