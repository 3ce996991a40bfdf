"""Calls that are wrong as HTTP, and bugs: every answer is ours, coded, and says nothing of the inside."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from tests.service.local import CLIENT, LocalService, Workstation

from gatekeeper.documents.api import MAX_CALL_BYTES, parse_problem
from gatekeeper.service.web.bodies import FORM, read_body
from gatekeeper.service.web.problems import HttpFault

FORM_HEADERS = {"content-type": FORM}


def coded(answer: Any) -> tuple[int, str]:
    """Return status and code of an answer, which must be a problem that our client can read."""
    problem = parse_problem(answer.content, status=answer.status_code)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    return answer.status_code, problem.code


def post(station: Workstation, content: Any, headers: dict[str, str] | None = None) -> Any:
    """Send a body to the token endpoint with a proof that holds."""
    whole = {**FORM_HEADERS, "dpop": station.proof("POST", "/oauth/token"), **(headers or {})}
    return station.service.send("POST", "/oauth/token", headers=whole, content=content)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v2/me", 404),
        ("GET", "/oauth/nothing", 404),
        ("GET", "/v1/me/", 404),
        ("GET", "/.well-known/gatekeeper/root/2", 404),
        ("GET", "/.well-known/gatekeeper/root/-1", 404),
        ("GET", "/.well-known/gatekeeper/root/99999999999999999999", 404),
        ("GET", "/status/%D9%A3", 404),
        ("GET", "/status/99999999999999999999", 404),
        ("DELETE", "/v1/me", 405),
        ("GET", "/oauth/token", 405),
        ("OPTIONS", "/v1/requests", 405),
    ],
)
def test_an_unknown_address_or_method_is_a_problem(
    local: LocalService, method: str, path: str, status: int
) -> None:
    """Whatever there isn't is 404 or 405, as a problem with a code."""
    answer = local.send(method, path)
    assert coded(answer) == (status, "GK604")
    if status == 405:
        assert answer.headers["allow"]
    oauth = path.startswith("/oauth/")
    assert answer.headers["content-type"] == ("application/json" if oauth else "application/problem+json")
    assert ("error" in answer.json()) == oauth


@pytest.mark.parametrize(
    "body",
    [
        "grant_type=refresh_token&grant_type=refresh_token",
        f"client_id={CLIENT}&client_id=",
        "grant_type",
        "a=%FF",
        "a=1;b=2&%",
        "&&&",
        "grant_type=é",
        "&".join(f"a{n}=1" for n in range(100)),
        "\x00\xff",
    ],
)
def test_a_form_that_is_none_is_refused(local: LocalService, body: str) -> None:
    """A parameter twice, broken encoding, too many fields: 400 before anything is believed."""
    assert coded(post(Workstation(local), body.encode("utf-8"))) == (400, "GK604")


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "text/plain", f"{FORM}; charset=utf-16", "multipart/form-data; boundary=x"],
)
def test_another_media_type_is_refused(local: LocalService, content_type: str) -> None:
    """The token endpoint takes forms alone."""
    assert coded(post(Workstation(local), b"a=1", {"content-type": content_type})) == (415, "GK604")


def test_a_charset_that_changes_nothing_is_taken(local: LocalService) -> None:
    """Saying UTF-8 is no other media type."""
    answer = post(Workstation(local), b"a=1", {"content-type": f'{FORM}; charset="UTF-8"'})
    assert answer.json()["error_description"] == "grant_type is missing."


def test_a_long_body_is_refused_by_its_length(local: LocalService) -> None:
    """A declared length beyond the limit is refused without reading."""
    assert coded(post(Workstation(local), b"a=" + b"x" * MAX_CALL_BYTES)) == (413, "GK604")


def test_a_stream_is_cut_early(local: LocalService) -> None:
    """A body without a declared length is read no further than the limit."""
    sent = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            sent.append(1)
            yield b"x" * 16_384

    assert coded(post(Workstation(local), endless())) == (413, "GK604")
    assert len(sent) <= 6


def test_a_slow_body_is_given_up() -> None:
    """Whoever sends a byte now and then is let go after the time for the whole body."""

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"a", "more_body": True}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(b"content-type", FORM.encode())],
        "query_string": b"",
    }
    with pytest.raises(HttpFault) as caught:
        asyncio.run(read_body(Request(scope, receive), media_type=FORM, seconds=0.1))
    assert caught.value.facts["status"] == 408


def test_a_body_that_breaks_off_is_no_bug(caplog: pytest.LogCaptureFixture) -> None:
    """A caller who goes away in the middle isn't logged as a bug."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(b"content-type", FORM.encode())],
        "query_string": b"",
    }
    with pytest.raises(HttpFault):
        asyncio.run(read_body(Request(scope, receive), media_type=FORM, seconds=5))
    assert not caplog.records


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"tool":"claude"',
        b'{"tool":"claude","tool":"codex","reason":"x"}',
        b'{"tool":1}',
        b'{"tool":"claude","reason":"x","zones":[1]}',
        b'{"tool":"claude","reason":1e3}',
        b"[" * 5_000,
        b'{"tool":"\\ud800"}',
        b"\xff\xfe",
    ],
)
def test_json_that_is_none_is_refused(local: LocalService, body: bytes) -> None:
    """Anything but one strict object of the right shape is 400, and makes nothing."""
    station = local.workstation()
    assert coded(station.call("POST", "/v1/requests", body=body)) == (400, "GK604")
    assert station.call("GET", "/v1/requests").json() == {"requests": []}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer_of_ours(local: LocalService, body: bytes) -> None:
    """Whatever is posted, the answer is a problem with a code and never a bug."""
    answer = post(Workstation(local), body)
    assert answer.status_code == 400
    assert parse_problem(answer.content, status=400).code == "GK604"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), max_size=300))
def test_any_credential_gets_an_answer_of_ours(local: LocalService, text: str) -> None:
    """Whatever stands in the headers, the answer is a refusal and never a bug."""
    for headers in ({"dpop": text}, {"authorization": f"DPoP {text}", "dpop": text}, {"authorization": text}):
        assert local.send("GET", "/v1/me", headers=headers).status_code in {400, 401}


def test_a_bug_says_nothing_but_a_reference(
    local: LocalService, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that nobody foresaw is 500 GK901 with a reference; the log has the same one and the rest."""
    monkeypatch.setattr(type(local.service.status_lists), "get", lambda *_a, **_k: 1 / 0)
    with caplog.at_level(logging.ERROR):
        answer = local.send("GET", "/status/0")
    assert coded(answer) == (500, "GK901")
    members = answer.json()
    assert members["ref"] in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "ZeroDivision" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.sqlite
def test_a_store_that_is_locked_is_not_now(local: LocalService, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that can't be used is 503, which clients take as unreachable, never as a refusal."""
    station = local.workstation()
    proof = station.proof("POST", "/oauth/token")
    local.store.close()
    database = local.data / "gatekeeper.db"
    database.rename(local.data / "elsewhere")
    database.mkdir()
    answer = station.form("/oauth/token", {"grant_type": "refresh_token"}, proof=proof)
    assert coded(answer) == (503, "GK106")
    assert answer.json()["error"] == "temporarily_unavailable"
    database.rmdir()
    (local.data / "elsewhere").rename(database)


def test_every_answer_carries_a_fresh_nonce(local: LocalService) -> None:
    """Good or bad, public or not: each answer brings the nonce for the next proof."""
    for path in ("/healthz", "/nothing", "/v1/me", "/oauth/token", "/status/0"):
        assert local.send("GET", path).headers["dpop-nonce"] == local.nonce()


def test_a_browser_is_told_to_do_nothing(local: LocalService) -> None:
    """The headers that keep an answer from being framed, sniffed or run stand on each; HSTS on https."""
    headers = local.send("GET", "/healthz").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["strict-transport-security"].startswith("max-age=")
    assert "server" not in headers


def test_problems_never_echo_control_characters(local: LocalService) -> None:
    """What a caller sent comes back as JSON text alone, if at all."""
    station = local.workstation()
    answer = station.call(
        "POST", "/v1/requests", body=json.dumps({"tool": "\x1b[31m", "reason": "x" * 20}).encode()
    )
    assert answer.status_code == 403
    assert b"\x1b" not in answer.content
