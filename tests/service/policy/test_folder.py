"""Policies on disk and in the database: which one is in force, and that none is applied that can't be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.service.store.parts import CATALOGUE, DAY, NOW, code_of, databases, url_of

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.policy.files import PolicyFiles, load_folder, write_folder
from gatekeeper.service.policy.folder import (
    apply_policy,
    current_policy,
    files_of_version,
    policy_of_version,
    versions,
)
from gatekeeper.service.store.migrate import upgrade
from gatekeeper.service.store.tables.policy import policies
from gatekeeper.service.store.transactions import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store without a policy."""
    store = databases.opened(open_store(url_of(tmp_path)))
    upgrade(store)
    yield store
    store.close()


def _apply(store: Store, name: str, *, now: int = NOW, effective_at: int = NOW) -> int:
    text = CATALOGUE.replace('name = "Acme"\nhelp', f'name = "{name}"\nhelp')
    with store.write() as tx:
        return apply_policy(
            tx, PolicyFiles(catalogue=text), by="operator", now=now, effective_at=effective_at
        )


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
    other = databases.opened(open_store(url_of(tmp_path / "other")))
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
            apply_policy(tx, PolicyFiles(catalogue="[tools.x]\n"), by="operator", now=NOW, effective_at=NOW)

    assert code_of(apply) == "GK101"
    assert _current(store) == (1, "A")


def test_a_folder_is_read_whole(tmp_path: Path) -> None:
    """All its files as UTF-8; what is no part of a policy is left alone."""
    (tmp_path / "catalogue.toml").write_text("# ä\n", "utf-8")
    assert load_folder(tmp_path) == PolicyFiles(catalogue="# ä\n")
    (tmp_path / "README.md").write_text("ours")
    (tmp_path / ".git").mkdir()
    (tmp_path / "access.cedar").write_text("// rules\n")
    (tmp_path / "expect.toml").write_text("# cases\n")
    (tmp_path / "terms").mkdir()
    (tmp_path / "terms" / "claude.md").write_text("Be kind.\n")
    (tmp_path / "terms" / ".draft.swp").write_text("x")
    files = load_folder(tmp_path)
    assert (files.access, files.expect, files.terms) == (
        "// rules\n",
        "# cases\n",
        (("terms/claude.md", "Be kind.\n"),),
    )
    write_folder(tmp_path / "again", files)
    assert load_folder(tmp_path / "again") == files


@pytest.mark.parametrize("name", ["acess.cedar", "expects.toml", "catalog.toml"])
def test_a_misspelt_file_is_an_error(tmp_path: Path, name: str) -> None:
    """A `forbid` that nobody reads would allow."""
    (tmp_path / "catalogue.toml").write_text("")
    (tmp_path / name).write_text("")
    with pytest.raises(GatekeeperError, match="Did you mean") as caught:
        load_folder(tmp_path)
    assert caught.value.code == "GK101"


def test_an_empty_access_cedar_is_no_starting_one(tmp_path: Path) -> None:
    """Whoever emptied it hardly means that everything is as it was at first."""
    (tmp_path / "catalogue.toml").write_text("")
    (tmp_path / "access.cedar").write_text("\n")
    assert code_of(lambda: load_folder(tmp_path)) == "GK101"


@pytest.mark.parametrize("name", ["catalogue.toml", "access.cedar", "expect.toml", "terms/x.md"])
@pytest.mark.parametrize("content", [None, b"\xff", b"#" * (1024 * 1024 + 1), b"a\x00"])
def test_a_folder_that_can_t_be_read_is_said_so(tmp_path: Path, content: bytes | None, name: str) -> None:
    """Missing, not UTF-8, endless: GK101. Only the catalogue has to be there."""
    (tmp_path / "terms").mkdir()
    (tmp_path / "catalogue.toml").write_text("")
    if content is not None:
        (tmp_path / name).write_bytes(content)
    elif name == "catalogue.toml":
        (tmp_path / name).unlink()
    wanted = "GK101" if content is not None or name == "catalogue.toml" else ""
    assert code_of(lambda: load_folder(tmp_path)) == wanted


def test_what_was_applied_can_be_read_and_applied_again(store: Store) -> None:
    """Every file of every version, and one that is applied again is a new version."""
    rules = '@id("A") permit (principal, action, resource);'
    files = PolicyFiles(
        catalogue=CATALOGUE + "[tools.claude]\nterms = { file = 'terms/x.md', version = 1 }\n",
        access=rules,
        expect="[[expect]]\nsubject = { id = 'ada' }\naction = 'request'\ntool = 'probe'\nverdict = 'allow'\n",
        terms=(("terms/x.md", "Be kind."),),
    )
    with store.write() as tx:
        assert apply_policy(tx, files, by="ada", now=NOW, effective_at=NOW) == 1
        assert apply_policy(tx, PolicyFiles(catalogue=CATALOGUE), by="sam", now=NOW, effective_at=NOW) == 2
        assert files_of_version(tx, 1) == files
        assert apply_policy(tx, files_of_version(tx, 1), by="sam", now=NOW + 1, effective_at=NOW + DAY) == 3
        assert [(v.version, v.effective_at, v.applied_at, v.applied_by) for v in versions(tx)] == [
            (3, NOW + DAY, NOW + 1, "sam"),
            (2, NOW, NOW, "sam"),
            (1, NOW, NOW, "ada"),
        ]
        assert policy_of_version(tx, 3) == policy_of_version(tx, 1).replace(version=3)
        assert [rule.id for rule in policy_of_version(tx, 1).rules] == ["A"]
        terms = policy_of_version(tx, 1).tools[-1].terms
        assert terms is not None
        assert terms.text == "Be kind."
        assert code_of(lambda: policy_of_version(tx, 9)) == "GK101"
        assert code_of(lambda: files_of_version(tx, 0)) == "GK101"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"access": "permit (principal, action, resource)"}, "access.cedar:1: the rule"),
        ({"access": '@id("A") permit (principal, action, resource == Tool::"prob");'}, "Did you mean probe?"),
        ({"expect": "[[expect]]\nx = 1\n"}, "expect.toml:2: expect.0.x: unknown key"),
        (
            {
                "expect": "\n[[expect]]\nsubject = { id = 'ada' }\naction = 'launch'\n"
                "tool = 'probe'\nverdict = 'allow'\n"
            },
            "expect.toml:2: ada launch probe: expected allow, the rules say refuse by access:approval.",
        ),
        ({"catalogue": CATALOGUE + "terms = 3"}, "catalogue.toml:"),
    ],
)
def test_what_lint_or_an_expectation_refuses_is_not_applied(
    store: Store, change: dict[str, str], problem: str
) -> None:
    """Nothing is stored, and every problem is named with its line."""
    files = PolicyFiles(catalogue=CATALOGUE).replace(**change)
    with pytest.raises(GatekeeperError) as caught, store.write() as tx:
        apply_policy(tx, files, by="ada", now=NOW, effective_at=NOW)
    assert caught.value.code == "GK101"
    assert problem in caught.value.detail
    with store.read() as tx:
        assert versions(tx) == []
