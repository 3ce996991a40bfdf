"""How many calls one address may make."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.service.local import LocalService

from gatekeeper.service.app import make_app
from gatekeeper.service.web import limits
from gatekeeper.service.web.limits import Limiter


class Clock:
    """Seconds that grow when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_a_burst_is_let_through_and_then_a_steady_stream() -> None:
    """As many at once as the bucket holds; after that as many as flow in."""
    clock = Clock()
    limiter = Limiter(per_second=2, burst=5, clock=clock)
    assert [limiter.wait_for("192.0.2.1") for _ in range(6)] == [0, 0, 0, 0, 0, 1]
    assert limiter.wait_for("192.0.2.2") == 0
    clock.now = 1.0
    assert [limiter.wait_for("192.0.2.1") for _ in range(3)] == [0, 0, 1]


@given(st.lists(st.floats(0, 10), max_size=60))
def test_never_more_than_burst_and_flow(pauses: list[float]) -> None:
    """Whatever the pattern, no more is let through than the bucket held and what flowed in."""
    clock = Clock()
    limiter = Limiter(per_second=2, burst=5, clock=clock)
    passed = 0
    for pause in pauses:
        clock.now += pause
        passed += limiter.wait_for("192.0.2.1") == 0
    assert passed <= 5 + 2 * clock.now + 1e-6


def test_a_network_of_ipv6_is_one_and_a_mapped_address_is_itself() -> None:
    """One subscriber has 2^64 addresses."""
    limiter = Limiter(per_second=1, burst=1, clock=Clock())
    assert limiter.wait_for("2001:db8::1") == 0
    assert limiter.wait_for("2001:db8::ffff:2") > 0
    assert limiter.wait_for("::ffff:192.0.2.1") == 0
    assert limiter.wait_for("192.0.2.1") > 0


def test_memory_is_bounded() -> None:
    """However many addresses call, only the latest are remembered."""
    limiter = Limiter(clock=Clock())
    for number in range(limits._MOST_ADDRESSES + 100):
        limiter.wait_for(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(limiter._buckets) <= limits._MOST_ADDRESSES


def test_who_calls_too_often_is_told_when_to_come_again(local: LocalService) -> None:
    """429 with a code and Retry-After, for that address alone; whoever watches over the process is always answered."""
    limiter = Limiter(per_second=0.5, burst=2, clock=Clock())
    local.app = make_app(local.service.replace(limiter=limiter))
    answers = [local.send("GET", "/.well-known/jwks.json", address="192.0.2.1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "GK603"
    assert answers[2].headers["retry-after"] == "2"
    assert local.send("GET", "/healthz", address="192.0.2.1").status_code == 200
    assert local.send("GET", "/.well-known/jwks.json", address="192.0.2.2").status_code == 200
