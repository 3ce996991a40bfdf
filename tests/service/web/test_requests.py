"""Requests, grants and devices over the API."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import httpx
import pytest
from tests.service.local import ISSUER, REASON, LocalService

from gatekeeper.documents.api import parse_devices, parse_grants, parse_me, parse_request, parse_requests


def test_a_request_is_made_once(local: LocalService) -> None:
    """The first is 201, the same scope again 200 with the same id, another scope another one."""
    station = local.workstation()
    first, again, other = station.request(), station.request(), station.request("gemini")
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 201)
    assert first.json()["id"] == again.json()["id"] != other.json()["id"]
    assert first.headers["location"] == f"{ISSUER}/v1/requests/{first.json()['id']}"
    assert [one.id for one in parse_requests(station.call("GET", "/v1/requests").content)] == ["R-2", "R-1"]


def test_an_idempotency_key_gives_the_same_answer(local: LocalService) -> None:
    """The key finds the request again even after it was decided; another body under it is 422."""
    station = local.workstation()
    key = {"idempotency-key": "k-1"}
    body = b'{"tool":"claude","reason":"' + REASON.encode() + b'"}'
    first = station.call("POST", "/v1/requests", body=body, headers=key)
    local.approve(first.json()["id"])
    again = station.call("POST", "/v1/requests", body=body, headers=key)
    assert (again.status_code, again.json()["id"], again.json()["state"]) == (200, "R-1", "approved")
    changed = station.call("POST", "/v1/requests", body=body.replace(b"claude", b"gemini"), headers=key)
    assert (changed.status_code, changed.json()["code"]) == (422, "GK411")


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"tool": "nope"}, 403, "GK302"),
        ({"tool": "codex"}, 403, "GK303"),
        ({"tool": "aider"}, 422, "GK410"),
        ({"reason": "short"}, 422, "GK404"),
        ({"duration": "91d"}, 422, "GK410"),
        ({"duration": "soon"}, 422, "GK410"),
        ({"zones": ["nowhere"]}, 422, "GK410"),
        ({"subjects": ["sam@acme.example"]}, 422, "GK410"),
        ({"workload": "nightly"}, 422, "GK410"),
        ({"group": "nobody"}, 422, "GK410"),
        ({"group": "dev", "workload": "nightly"}, 422, "GK410"),
        ({"terms": {}}, 400, "GK604"),
        ({"terms": "x"}, 404, "GK409"),
    ],
)
def test_what_policy_refuses_is_coded(
    local: LocalService, more: dict[str, Any], status: int, code: str
) -> None:
    """Each refusal of a request has its own code, and makes nothing."""
    station = local.workstation()
    answer = station.request(**more)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert parse_requests(station.call("GET", "/v1/requests").content) == ()


def test_anothers_request_does_not_exist(local: LocalService) -> None:
    """Reading or cancelling another's request is 404 with the same words as one that never was."""
    ada, sam = local.workstation(), local.workstation("sam@acme.example")
    ada.request()
    for method, suffix in (("GET", ""), ("POST", "/cancel")):
        theirs = sam.call(method, f"/v1/requests/R-1{suffix}")
        never = sam.call(method, f"/v1/requests/R-999{suffix}")
        assert (theirs.status_code, theirs.json()["code"]) == (404, "GK409")
        assert theirs.content == never.content
    assert parse_request(ada.call("GET", "/v1/requests/R-1").content).state == "pending"


def test_a_cancelled_request_stays_so(local: LocalService) -> None:
    """Cancelling twice, or after a decision, is 409."""
    station = local.workstation()
    station.request()
    assert station.call("POST", "/v1/requests/R-1/cancel").json()["state"] == "cancelled"
    again = station.call("POST", "/v1/requests/R-1/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "GK408")


def test_a_decided_request_says_by_whom_and_why(local: LocalService) -> None:
    """The subject reads who decided, why, and which grant came of it; and the grant."""
    station = local.workstation()
    station.request()
    grant = local.approve("R-1", reason="Good reason.", duration="10d")
    view = parse_request(station.call("GET", "/v1/requests/R-1").content)
    assert (view.state, view.grant, view.decided_by, view.decision_reason) == (
        "approved",
        grant,
        "sam@acme.example",
        "Good reason.",
    )
    (only,) = parse_grants(station.call("GET", "/v1/grants").content)
    assert (only.id, only.tool, only.state, only.ends_at - only.starts_at) == (
        grant,
        "claude",
        "active",
        864_000,
    )


def test_a_long_poll_ends_with_the_answer(local: LocalService) -> None:
    """Who waits is answered when another process decides, well before the wait is over."""
    station = local.workstation()
    station.request()
    timer = threading.Timer(0.3, lambda: local.approve("R-1"))
    timer.start()
    began = time.monotonic()
    answer = station.call("GET", "/v1/requests/R-1?wait=30")
    timer.join()
    assert answer.json()["state"] == "approved"
    assert time.monotonic() - began < 30


def test_a_long_poll_ends_with_what_stands(local: LocalService) -> None:
    """When the time is over the request is still pending, and the answer says so; a decided one is answered at once."""
    station = local.workstation()
    station.request()
    assert station.call("GET", "/v1/requests/R-1?wait=1").json()["state"] == "pending"
    station.call("POST", "/v1/requests/R-1/cancel")
    assert station.call("GET", "/v1/requests/R-1?wait=30").json()["state"] == "cancelled"


def test_a_service_that_stops_ends_its_long_polls(local: LocalService) -> None:
    """Stopping answers those who wait with what stands; readiness says no; calls are still answered."""
    station = local.workstation()
    station.request()
    threading.Timer(0.3, local.service.waiting.stop).start()
    assert station.call("GET", "/v1/requests/R-1?wait=30").json()["state"] == "pending"
    assert local.send("GET", "/readyz").status_code == 503
    assert local.send("GET", "/healthz").status_code == 200


def test_one_waiter_too_many_is_answered_at_once(
    local: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of those who wait is bounded."""
    monkeypatch.setattr("gatekeeper.service.web.waiting.MOST_WAITING", 1)
    station = local.workstation()
    station.request()
    calls = []
    for _ in range(2):
        headers = {
            "authorization": f"DPoP {station.access}",
            "dpop": station.proof("GET", "/v1/requests/R-1", token=station.access),
        }
        calls.append(headers)

    async def both() -> set[str]:
        transport = httpx.ASGITransport(app=local.app)
        async with httpx.AsyncClient(transport=transport, base_url=ISSUER, timeout=60) as client:
            tasks = [
                asyncio.create_task(client.get("/v1/requests/R-1?wait=30", headers=headers), name=str(n))
                for n, headers in enumerate(calls)
            ]
            done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            local.service.waiting.stop()
            await asyncio.wait(waiting)
            return {task.get_name() for task in done}

    assert len(asyncio.run(both())) == 1


@pytest.mark.parametrize("wait", ["-1", "x", "1.5", "", "9999999", "1&wait=2"])
def test_a_wait_is_a_number_of_seconds(local: LocalService, wait: str) -> None:
    """Anything else is 400."""
    station = local.workstation()
    station.request()
    assert station.call("GET", f"/v1/requests/R-1?wait={wait}").status_code == 400


def test_devices_are_the_subjects_own(local: LocalService) -> None:
    """A device is listed with its name and state; another's can't be revoked, and its existence isn't told."""
    ada, sam = local.workstation(), local.workstation("sam@acme.example")
    me = parse_me(ada.call("GET", "/v1/me").content)
    (device,) = parse_devices(ada.call("GET", "/v1/devices").content)
    assert (device.id, device.name, device.state, me.groups) == (me.device, "laptop", "active", ("dev",))
    theirs = sam.call("POST", f"/v1/devices/{me.device}/revoke")
    assert theirs.status_code == 404
    assert theirs.content == sam.call("POST", "/v1/devices/d_nothing/revoke").content
    assert ada.call("GET", "/v1/me").status_code == 200
