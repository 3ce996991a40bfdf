"""What reviewers and teams read over the API, questions, terms and the queue; and what a workstation can't do there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.access.office import FILES, TERMS
from tests.service.local import ISSUER, LocalService, Workstation

from gatekeeper.documents.api import parse_grants, parse_request, parse_requests
from gatekeeper.documents.terms import parse_terms
from gatekeeper.service.operate.invite import invite
from gatekeeper.trust.statement import make_statement


@pytest.fixture
def office(tmp_path: Path) -> Iterator[LocalService]:
    """Give a service with reviewers, seats and terms."""
    service = LocalService(tmp_path / "svc", policy=FILES)
    yield service
    service.close()


def _station(office: LocalService, name: str, *groups: str, **attributes: str) -> Workstation:
    code = invite(office.store, f"{name}@acme.example", groups=groups, attributes=attributes, now=office.now)[
        0
    ]
    station = Workstation(office)
    assert station.redeem(code).status_code == 200
    return station


def _post(station: Workstation, path: str, **members: Any) -> Any:
    return station.call("POST", path, body=json.dumps(members).encode())


def test_an_inbox_is_read_by_those_whom_policy_names(office: LocalService) -> None:
    """With the verdict, the device and what is still needed; nobody else sees anything of it."""
    ada, cleo, ben = (
        _station(office, "ada", "web"),
        _station(office, "cleo", "security"),
        _station(office, "ben"),
    )
    ada.request("probe")
    (seen,) = parse_requests(cleo.call("GET", "/v1/requests?role=reviewer").content)
    assert (seen.id, seen.subject_name, seen.groups) == ("R-1", "ada@acme.example", ("web",))
    assert (seen.verdict, seen.device, seen.waits_for) == (
        "allows (access:approval)",
        "laptop",
        ("1 of security",),
    )
    assert seen.url == f"{ISSUER}/requests/R-1"
    assert parse_request(cleo.call("GET", "/v1/requests/R-1").content).verdict == seen.verdict
    assert parse_requests(ben.call("GET", "/v1/requests?role=reviewer").content) == ()
    assert parse_requests(ada.call("GET", "/v1/requests?role=reviewer").content) == ()
    assert ben.call("GET", "/v1/requests/R-1").status_code == 404
    assert cleo.call("GET", "/v1/requests?role=operator").status_code == 400


@pytest.mark.parametrize(
    "path", ["/v1/requests/R-1/reviews", "/v1/requests/R-1/approve", "/v1/grants/G-1/revoke"]
)
def test_a_workstation_never_decides(office: LocalService, path: str) -> None:
    """Whatever it sends: a bearer or DPoP token of a device is no step-up."""
    _station(office, "ada").request("probe")
    cleo = _station(office, "cleo", "security")
    answer = _post(cleo, path, verdict="approve", reason="fine")
    assert answer.status_code >= 400
    assert parse_request(cleo.call("GET", "/v1/requests/R-1").content).state == "pending"


def test_a_question_and_its_answer(office: LocalService) -> None:
    """The launch says GK407 with the words; the answer makes it pending again."""
    from gatekeeper.service.access.requests import ask_question
    from gatekeeper.service.access.reviews import STEP_UP
    from gatekeeper.service.people.subjects import find_subject

    ada, _ = _station(office, "ada"), _station(office, "cleo", "security")
    ada.request("probe")
    with office.store.write() as tx:
        cleo = find_subject(tx, "cleo@acme.example")
        assert cleo is not None
        ask_question(tx, "R-1", reviewer=cleo, method=STEP_UP, text="Which service?", now=office.now)
    refused = ada.launch("probe").json()
    assert (refused["code"], refused["reason"], refused["by"]) == (
        "GK407",
        "Which service?",
        "cleo@acme.example",
    )
    view = parse_request(ada.call("GET", "/v1/requests/R-1?wait=30").content)
    assert (view.state, view.question, view.question_by) == (
        "question",
        "Which service?",
        "cleo@acme.example",
    )
    assert _post(ada, "/v1/requests/R-1/reply", text="Billing.").json()["state"] == "pending"
    assert _post(ada, "/v1/requests/R-1/reply", text="Billing.").status_code == 409
    assert ada.launch("probe").json()["code"] == "GK401"


def test_the_queue_is_told(office: LocalService) -> None:
    """GK402 with the place, in the refusal, the request and the grants; a free seat lets the next one in."""
    stations = [_station(office, name) for name in ("ada", "gus", "hal")]
    grants = []
    for number, station in enumerate(stations, start=1):
        station.request("seated")
        grants.append(office.approve(f"R-{number}"))
    last = stations[-1]
    refused = last.launch("seated").json()
    assert (refused["code"], refused["request"]) == ("GK402", "R-3")
    assert "number 1 of 1" in refused["detail"]
    assert parse_request(last.call("GET", "/v1/requests/R-3").content).place == 1
    assert parse_grants(last.call("GET", "/v1/grants").content)[0].place == 1
    office.revoke(grants[0])
    assert last.launch("seated").status_code == 200


def test_terms_stand_before_the_launch(office: LocalService) -> None:
    """GK406 until the device has signed; the request says so, too."""
    ada = _station(office, "ada")
    asked = parse_request(ada.request("termed").content)
    assert asked.terms_needed
    office.approve("R-1")
    assert ada.launch("termed").json()["code"] == "GK406"
    terms = parse_terms(ada.call("GET", "/v1/terms/termed").content)
    assert (terms.text, terms.accepted) == (TERMS, False)
    assert terms.sha256 == hashlib.sha256(TERMS.encode()).hexdigest()
    claims = {
        "iss": ISSUER,
        "sub": ada.call("GET", "/v1/me").json()["subject"],
        "tool": "termed",
        "version": 1,
        "sha256": terms.sha256,
        "iat": office.now,
    }
    wrong = make_statement(ada.key, typ="gk-terms+jwt", claims={**claims, "sha256": "0" * 64})
    assert _post(ada, "/v1/terms/termed/accept", statement=wrong).json()["code"] == "GK406"
    right = make_statement(ada.key, typ="gk-terms+jwt", claims=claims)
    assert _post(ada, "/v1/terms/termed/accept", statement=right).json()["accepted"] is True
    assert ada.launch("termed").status_code == 200
    assert ada.call("GET", "/v1/terms/probe").status_code == 404


def test_terms_may_come_with_the_request(office: LocalService) -> None:
    """One call; and the same call again, with another signature, is the same request."""
    ada = _station(office, "ada")
    claims = {
        "iss": ISSUER,
        "sub": ada.call("GET", "/v1/me").json()["subject"],
        "tool": "termed",
        "version": 1,
        "sha256": hashlib.sha256(TERMS.encode()).hexdigest(),
        "iat": office.now,
    }
    for status in (201, 200):
        statement = make_statement(ada.key, typ="gk-terms+jwt", claims=claims)
        body = json.dumps({"tool": "termed", "reason": "A long reason.", "terms": statement}).encode()
        answer = ada.call("POST", "/v1/requests", body=body, headers={"idempotency-key": "k"})
        assert (answer.status_code, answer.json().get("terms_needed")) == (
            200 if status == 200 else 201,
            None,
        )


def test_members_of_a_team_see_their_request(office: LocalService) -> None:
    """Each with their own grant; whoever asked sees whom it is for."""
    gus, hal = _station(office, "gus", "web"), _station(office, "hal", "web")
    ben = _station(office, "ben")
    view = parse_request(ben.request("probe", group="web").content)
    assert (view.subject_name, view.requester_name) == ("group:web (2)", "ben@acme.example")
    assert view.members == ("gus@acme.example", "hal@acme.example")
    office.approve("R-1")
    own = [parse_request(one.call("GET", "/v1/requests/R-1").content).grant for one in (gus, hal)]
    assert sorted(own) == ["G-1", "G-2"]
    assert [one.launch("probe").status_code for one in (gus, hal, ben)] == [200, 200, 400]
