"""Policies on disk and in the database: which one is in force, and that none is applied that can't be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.service.store.parts import CATALOGUE, DAY, NOW, code_of, url_of

from gatekeeper.service.policy.folder import apply_policy, current_policy, load_folder
from gatekeeper.service.store.migrate import upgrade
from gatekeeper.service.store.tables.policy import policies
from gatekeeper.service.store.transactions import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store without a policy."""
    store = open_store(url_of(tmp_path))
    upgrade(store)
    yield store
    store.close()


def _apply(store: Store, name: str, *, now: int = NOW, effective_at: int = NOW) -> int:
    text = CATALOGUE.replace('name = "Acme"\nhelp', f'name = "{name}"\nhelp')
    with store.write() as tx:
        return apply_policy(tx, text, by="operator", now=now, effective_at=effective_at)


def _current(store: Store, *, now: int = NOW) -> tuple[int, str]:
    with store.read() as tx:
        policy = current_policy(tx, now=now)
    return policy.version, policy.organisation


def test_without_a_policy_nothing_is_decided(store: Store) -> None:
    """GK101, never an empty policy; one that waits for its date is none either."""
    assert code_of(lambda: _current(store)) == "GK101"
    _apply(store, "A", effective_at=NOW + 1)
    assert code_of(lambda: _current(store)) == "GK101"
    assert _current(store, now=NOW + 1) == (1, "A")


def test_the_newest_in_force_counts(store: Store) -> None:
    """Every version is kept, and the numbers only rise."""
    assert [_apply(store, name) for name in ("A", "B")] == [1, 2]
    assert _current(store) == (2, "B")
    with store.read() as tx:
        assert tx.execute(select(func.count()).select_from(policies)).scalar_one() == 2


def test_a_dated_policy_waits_for_its_date(store: Store) -> None:
    """Until then the one before it counts."""
    _apply(store, "A")
    _apply(store, "B", effective_at=NOW + DAY)
    assert _current(store, now=NOW + DAY - 1) == (1, "A")
    assert _current(store, now=NOW + DAY) == (2, "B")


def test_the_version_never_falls(store: Store) -> None:
    """One applied later replaces a dated one for good, so that no client sees a rollback."""
    _apply(store, "A", effective_at=NOW + DAY)
    _apply(store, "B")
    assert _current(store) == (2, "B")
    assert _current(store, now=NOW + 2 * DAY) == (2, "B")


def test_two_services_in_one_process_keep_their_own(store: Store, tmp_path: Path) -> None:
    """The cache is by version and digest, so version 1 of another database isn't mistaken for ours."""
    (tmp_path / "other").mkdir()
    other = open_store(url_of(tmp_path / "other"))
    upgrade(other)
    _apply(store, "A")
    _apply(other, "B")
    assert [_current(store), _current(other), _current(store)] == [(1, "A"), (1, "B"), (1, "A")]
    other.close()


def test_many_versions_stay_readable(store: Store) -> None:
    """Also those that fell out of the cache."""
    for number in range(12):
        _apply(store, f"N{number}", effective_at=NOW + number)
        _current(store, now=NOW + number)
    assert _current(store) == (1, "N0")


def test_what_is_no_policy_is_not_applied(store: Store) -> None:
    """The one before stays in force."""
    _apply(store, "A")

    def apply() -> None:
        with store.write() as tx:
            apply_policy(tx, "[tools.x]\n", by="operator", now=NOW, effective_at=NOW)

    assert code_of(apply) == "GK101"
    assert _current(store) == (1, "A")


def test_a_folder_is_its_catalogue(tmp_path: Path) -> None:
    """Read whole, as UTF-8."""
    (tmp_path / "catalogue.toml").write_text("# ä\n", "utf-8")
    assert load_folder(tmp_path) == "# ä\n"


@pytest.mark.parametrize("name", ["access.cedar", "expect.toml"])
def test_rules_that_would_not_be_evaluated_are_refused(tmp_path: Path, name: str) -> None:
    """A `forbid` that nobody reads would allow."""
    (tmp_path / "catalogue.toml").write_text("")
    (tmp_path / name).write_text("")
    assert code_of(lambda: load_folder(tmp_path)) == "GK101"


@pytest.mark.parametrize("content", [None, b"\xff", b"#" * (1024 * 1024 + 1)])
def test_a_folder_that_can_t_be_read_is_said_so(tmp_path: Path, content: bytes | None) -> None:
    """Missing, not UTF-8, endless: GK101."""
    if content is not None:
        (tmp_path / "catalogue.toml").write_bytes(content)
    assert code_of(lambda: load_folder(tmp_path)) == "GK101"
