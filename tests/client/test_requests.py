"""Requests, grants and devices over the wire, and waiting for an answer without losing patience or time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.fakes.service import Answer, Lie, ServiceSimulator, cut, html, huge, status
from tests.fakes.world import FakeWorld

from gatekeeper.client import requests
from gatekeeper.client.service_errors import ServiceRefused, ServiceUnreachable
from gatekeeper.client.session import Session, open_session
from gatekeeper.documents.api import NewRequest, RequestView
from gatekeeper.errors import GatekeeperError
from gatekeeper.workstation.settings import Settings

NEW = NewRequest(tool="codex", reason="pair programming on the parser", duration="30d")


@pytest.fixture
def session(world: FakeWorld, signed_in: Settings) -> Iterator[Session]:
    """Open ada's session."""
    with open_session(world, signed_in) as opened:
        yield opened


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.at = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.at += seconds

    def clock(self) -> float:
        """Return the time."""
        return self.at


def test_a_request_is_made_once(session: Session) -> None:
    """The first is created, the second is the same one that is pending; both are read back alike."""
    first, created = requests.create_request(session, NEW, "key-1")
    again, created_again = requests.create_request(session, NEW, "key-2")
    assert (created, created_again) == (True, False)
    assert first == again == requests.get_request(session, "R-1")
    assert requests.list_requests(session) == (first,)
    assert (first.tool, first.reason, first.duration) == (NEW.tool, NEW.reason, NEW.duration)


def test_a_request_is_withdrawn(session: Session) -> None:
    """Cancelling gives the request as it then is; an unknown one is GK409."""
    requests.create_request(session, NEW, "key-1")
    assert requests.cancel_request(session, "R-1").state == "cancelled"
    with pytest.raises(ServiceRefused) as caught:
        requests.cancel_request(session, "R-7")
    assert caught.value.code == "GK409"


def test_an_id_is_one_segment_of_the_path(session: Session, service: ServiceSimulator) -> None:
    """Whatever is typed as an id can't reach another address of the service: GK409, and nothing is sent."""
    service.calls.clear()
    for typed in ("../me", "..", "R-1/../../me", "R-1?wait=30", "R-1#x", "", "R-", "R 1", "1", "R-\u0661"):
        for act in (requests.get_request, requests.cancel_request):
            with pytest.raises(GatekeeperError) as caught:
                act(session, typed)
            assert caught.value.code == "GK409"
    assert service.calls == []


def test_who_and_what(session: Session) -> None:
    """Me, devices and grants are read."""
    assert requests.me(session).name == "ada@acme.example"
    assert [device.id for device in requests.devices(session)] == ["d_1"]
    assert [grant.tool for grant in requests.list_grants(session)] == ["claude"]


@pytest.mark.parametrize("lie", [html, huge, cut, status(500), status(200, b"[]"), status(200, b'{"id":1}')])
def test_what_is_no_answer_is_unreachable(session: Session, service: ServiceSimulator, lie: Lie) -> None:
    """No reader of the API takes anything else for its answer."""
    service.lie("/v1", lie)
    readers: list[Callable[[], object]] = [
        lambda: requests.create_request(session, NEW, "key-1"),
        lambda: requests.get_request(session, "R-1"),
        lambda: requests.cancel_request(session, "R-1"),
        lambda: requests.me(session),
    ]
    for read in readers:
        with pytest.raises(ServiceUnreachable):
            read()


def wait(session: Session, timeout: float, time: Time, seen: list[str] | None = None) -> RequestView:
    """Wait on a clock of the test's own."""

    def on_poll(request: RequestView) -> None:
        if seen is not None:
            seen.append(request.state)

    return requests.wait_for(session, "R-1", timeout, on_poll, sleep=time.sleep, clock=time.clock)


def test_waiting_ends_with_the_answer(session: Session, service: ServiceSimulator) -> None:
    """Polls until the request is decided, telling every state; a service that answers at once isn't asked in a circle."""
    requests.create_request(session, NEW, "key-1")
    time, seen = Time(), list[str]()

    def decide_on_the_third(answer: Answer) -> Answer:
        if service.calls_to("/v1/requests/R-1") == 3:
            service.requests[0] = service.requests[0].replace(state="approved", grant="G-9")
        return answer

    service.lie("/v1/requests/R-1", decide_on_the_third)
    assert wait(session, 600, time, seen).state == "approved"
    assert seen == ["pending"] * 3 + ["approved"]
    assert min(time.slept) > 0


def test_waiting_ends_with_the_time(session: Session, service: ServiceSimulator) -> None:
    """After the timeout the request is returned as it is, pending."""
    requests.create_request(session, NEW, "key-1")
    time = Time()
    assert wait(session, 5, time).state == "pending"
    assert time.at <= 6


def test_waiting_outlasts_a_silence(session: Session, service: ServiceSimulator) -> None:
    """A service that is away for a while makes the wait longer; one that stays away is told at the end."""
    requests.create_request(session, NEW, "key-1")
    away = [Answer(503)] * 3
    service.lie("/v1/requests/R-1", lambda answer: away.pop() if away else answer)
    time = Time()
    assert wait(session, 60, time).state == "pending"
    assert time.slept[:3] == [2, 4, 8]
    service.stop()
    with pytest.raises(ServiceUnreachable):
        wait(session, 60, Time())


def test_waiting_ends_with_a_refusal(session: Session, service: ServiceSimulator) -> None:
    """A refusal ends the wait at once."""
    with pytest.raises(ServiceRefused) as caught:
        wait(session, 600, Time())
    assert caught.value.code == "GK409"
