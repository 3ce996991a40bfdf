"""Stops: a tool or vendor stands still, or some of its versions, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.store.parts import CATALOGUE, NOW, code_of, new_store

from gatekeeper.decision.versions import in_npm_range, in_pypi_range
from gatekeeper.documents.launch_token import Identity
from gatekeeper.service.policy.catalogue import parse_policy
from gatekeeper.service.policy.remaining import check_versions, without
from gatekeeper.service.policy.stops import (
    Stop,
    resume_stopped,
    stop,
    stopped_by,
    stops_in_force,
    what_is_meant,
    whole_stop,
)
from gatekeeper.service.store.transactions import Store

POLICY = parse_policy(
    CATALOGUE + "[tools.amp]\n[tools.claude]\nidentity = { npm = 'c', versions = '>=2,<3' }\n", version=1
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Give a store."""
    return new_store(tmp_path)


def _stop(store: Store, kind: str, name: str, versions: str = "", reason: str = "A breach.") -> Stop:
    with store.write() as tx:
        return stop(tx, kind=kind, name=name, versions=versions, reason=reason, by="operator", now=NOW)


def _stopped(store: Store, tool: str) -> bool:
    found = POLICY.tool_of_id(tool)
    assert found is not None
    with store.read() as tx:
        return stopped_by(tx, found) is not None


def test_a_tool_stands_still_until_it_is_resumed(store: Store) -> None:
    """It alone; and it can be stopped again, each time as its own stop."""
    for round_ in range(2):
        assert not _stopped(store, "probe")
        assert _stop(store, "tool", "probe").number == round_ + 1
        assert (_stopped(store, "probe"), _stopped(store, "llama")) == (True, False)
        assert code_of(lambda: _stop(store, "tool", "probe")) == "GK408"
        with store.write() as tx:
            resume_stopped(tx, kind="tool", name="probe", by="operator", now=NOW + 1)
        with store.read() as tx:
            assert stops_in_force(tx) == ()

    def again() -> None:
        with store.write() as tx:
            resume_stopped(tx, kind="tool", name="probe", by="operator", now=NOW)

    assert code_of(again) == "GK409"


def test_a_vendor_stands_still_with_all_its_tools(store: Store) -> None:
    """Resuming one of its tools ends nothing of that."""
    _stop(store, "vendor", "in-house")
    _stop(store, "tool", "probe")
    with store.write() as tx:
        resume_stopped(tx, kind="tool", name="probe", by="operator", now=NOW)
    assert [_stopped(store, tool) for tool in ("probe", "llama", "claude")] == [True, True, False]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("tool", "probe", "", " "), "GK404"),
        (("tool", "probe", "", "a\u202eb"), "GK100"),
        (("tool", "probe", "", "x" * 501), "GK100"),
        (("vendor", "in-house", ">=1", "A breach."), "GK100"),
        (("tool", "probe", "newest", "A breach."), "GK100"),
        (("tool", "probe", ">=2,<1", "A breach."), "GK100"),
        (("tool", "probe", "!=2", "A breach."), "GK100"),
        (("tool", "probe", ">=1 || >=3", "A breach."), "GK100"),
    ],
)
def test_a_stop_that_can_t_be_meant_is_refused(store: Store, arguments: tuple[str, ...], code: str) -> None:
    """Nothing is stopped by a slip, and nobody is stopped without a reason."""
    assert code_of(lambda: _stop(store, *arguments)) == code
    with store.read() as tx:
        assert stops_in_force(tx) == ()


def test_what_a_word_means() -> None:
    """A tool by id or executable, else a vendor; a prefix where both are so called."""
    assert what_is_meant(POLICY, "probe-ng") == ("tool", "probe")
    assert what_is_meant(POLICY, "in-house") == ("vendor", "in-house")
    assert [what_is_meant(POLICY, word) for word in ("amp", "vendor:amp")] == [
        ("tool", "amp"),
        ("vendor", "amp"),
    ]
    for word in ("prob", "vendor:probe", "tool:in-house", ""):
        assert code_of(lambda w=word: what_is_meant(POLICY, w)) == "GK302"  # type: ignore[misc]


def test_stopped_versions_are_taken_from_the_token(store: Store) -> None:
    """The rest goes on; where nothing remains, the tool stands still."""
    claude = POLICY.tool_of_id("claude")
    assert claude is not None
    _stop(store, "tool", "claude", ">=2.3,<2.3.5")
    with store.read() as tx:
        stopped, left = whole_stop(stops_in_force(tx), claude)
    assert stopped is None
    assert left.identities == (Identity(npm="c", versions=">=2.0.0 <2.3.0 || >=2.3.5 <3.0.0"),)
    with store.write() as tx:
        resume_stopped(tx, kind="tool", name="claude", by="operator", now=NOW)
    _stop(store, "tool", "claude", ">=1")
    assert _stopped(store, "claude")


VERSIONS = st.tuples(*[st.integers(0, 3)] * 3).map(lambda numbers: ".".join(map(str, numbers)))
COMPARATOR = st.builds(str.__add__, st.sampled_from([">=", "<=", ">", "<", "==", "="]), VERSIONS)
RANGES = st.lists(COMPARATOR, min_size=1, max_size=3).map(",".join)


@given(
    st.one_of(st.just(""), RANGES.map(lambda r: r.replace("==", "=")), st.just("1 - 2 || >=3")),
    RANGES,
    VERSIONS,
)
def test_exactly_the_stopped_versions_are_gone_of_npm(approved: str, stopped: str, version: str) -> None:
    """Of what was approved, what isn't stopped remains, and nothing more."""
    if code_of(lambda: check_versions(stopped)):
        return
    left = without((Identity(npm="x", versions=approved),), stopped)
    remains = any(in_npm_range(version, one.versions) for one in left)
    is_stopped = in_npm_range(version, stopped.replace("==", "="))
    assert remains == ((not approved or in_npm_range(version, approved)) and not is_stopped)


@given(st.one_of(st.just(""), st.just(">=1,<3"), st.just("~=1.2")), RANGES, VERSIONS)
def test_exactly_the_stopped_versions_are_gone_of_pypi(approved: str, stopped: str, version: str) -> None:
    """Likewise."""
    if code_of(lambda: check_versions(stopped)):
        return
    left = without((Identity(pypi="x", versions=approved),), stopped)
    remains = any(in_pypi_range(version, one.versions) for one in left)
    plain = ",".join(
        f"={part}" if part.startswith("=") and part[1] != "=" else part for part in stopped.split(",")
    )
    assert remains == (
        (not approved or in_pypi_range(version, approved)) and not in_pypi_range(version, plain)
    )
