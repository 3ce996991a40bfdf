"""`service init`: a whole service, or nothing at all."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest
from tests.service.store.parts import CATALOGUE, DAY, NOW, at_once, code_of

from gatekeeper.service.audit.log import entries
from gatekeeper.service.keys.signer import load_keys
from gatekeeper.service.operate.init import InitResult, init_service
from gatekeeper.service.policy.files import PolicyFiles, load_folder
from gatekeeper.service.policy.folder import current_policy, starting_files
from gatekeeper.service.settings import check_serves, load_settings
from gatekeeper.service.store.migrate import is_current
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.service.store.transactions import open_store
from gatekeeper.trust.p256_plain import verify_es256
from gatekeeper.trust.root_documents import verify_chain

ISSUER = "http://localhost:8750"


def _init(data: Path, *, issuer: str = ISSUER, policy: str = "", root: Path | None = None) -> InitResult:
    files = PolicyFiles(catalogue=policy) if policy else None
    return init_service(data, issuer=issuer, policy=files, root_key_path=root, now=NOW)


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _check(data: Path, result: InitResult) -> None:
    """Check that a whole service stands in `data`, and nothing else does."""
    assert {path.name for path in data.iterdir()} == {"gatekeeper.db", "keys", "policy", "service.toml"}
    assert load_folder(data / "policy") == starting_files()
    settings = load_settings(data)
    assert settings.issuer == result.service
    store = open_store(settings.database)
    assert is_current(store)
    with store.read() as tx:
        document = tx.execute(root_documents.select()).one().document
        assert current_policy(tx, now=NOW).version == 1
        assert [(e.actor, e.act) for e in entries(tx)] == [("operator", "service.initialised")]
    store.close()
    trusted = verify_chain(
        [document],
        pins=(result.trust_root,),
        pin_threshold=1,
        issuer=result.service,
        min_version=1,
        verify=verify_es256,
    )
    assert [key.kid for key in trusted.approval.keys] == [key.kid for key in load_keys(data).approval]


def test_a_new_directory_holds_a_whole_service(tmp_path: Path) -> None:
    """Nothing but the service is left, beside it or in it."""
    data = tmp_path / "data"
    _check(data, _init(data))
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_everything_is_the_owner_s_alone(tmp_path: Path) -> None:
    """Directories 0700, database and keys 0600, whatever the umask."""
    before = os.umask(0)
    try:
        _init(tmp_path / "data")
    finally:
        os.umask(before)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "data").rglob("*")}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert (modes.pop("keys"), modes.pop("policy")) == (0o700, 0o700)
    modes.pop("service.toml")  # it holds no secret
    assert set(modes.values()) == {0o600}


def test_an_empty_directory_may_stand_there(tmp_path: Path) -> None:
    """A mounted volume, say; it becomes the owner's alone."""
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    _check(data, _init(data))
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_a_link_to_an_empty_directory_is_followed(tmp_path: Path) -> None:
    """And stays a link."""
    (tmp_path / "volume").mkdir()
    (tmp_path / "data").symlink_to("volume")
    _check(tmp_path / "data", _init(tmp_path / "data"))
    assert (tmp_path / "data").is_symlink()


def test_the_directory_may_be_moved(tmp_path: Path) -> None:
    """Nothing in it says where it lies."""
    result = _init(tmp_path / "data")
    (tmp_path / "data").rename(tmp_path / "moved")
    _check(tmp_path / "moved", result)


def test_a_service_is_never_overwritten(tmp_path: Path) -> None:
    """A second init changes not a byte."""
    data = tmp_path / "data"
    _init(data)
    before = _tree(data)
    assert code_of(lambda: _init(data)) == "GK101"
    assert _tree(data) == before
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_directory_with_something_in_it_is_refused(tmp_path: Path) -> None:
    """It may be anybody's."""
    (tmp_path / "mine").write_text("mine")
    assert code_of(lambda: _init(tmp_path)) == "GK101"
    assert _tree(tmp_path) == {"mine": b"mine"}


@pytest.mark.parametrize("there", ["", "data"])
@pytest.mark.parametrize(
    "broken",
    [
        {"issuer": "http://gatekeeper.acme.example"},
        {"issuer": "https://a/b"},
        {"policy": "[tools.x]\n"},
        {"root": "taken"},
        {"root": "no/such/folder/root.json"},
    ],
)
def test_a_failure_leaves_nothing_behind(tmp_path: Path, broken: dict[str, str], there: str) -> None:
    """Neither in the directory, nor beside it, nor where the root key was to be."""
    taken = tmp_path / "taken"
    taken.write_text("mine")
    data = tmp_path / "data"
    if there:
        data.mkdir()
    root = tmp_path / broken["root"] if "root" in broken else tmp_path / "root.json"
    arguments = {key: value for key, value in broken.items() if key != "root"}
    assert code_of(lambda: _init(data, root=root, **arguments)) in {"GK101", "GK106"}
    assert _tree(tmp_path) == {"taken": b"mine"}
    assert data.exists() == bool(there)
    assert not there or list(data.iterdir()) == []


def test_a_failure_at_the_very_end_leaves_nothing_behind(tmp_path: Path) -> None:
    """Another init that wins the race in between keeps what it made; ours is gone, its root key too."""
    data = tmp_path / "data"
    root = tmp_path / "root.json"
    data_made: list[InitResult] = []

    class Late(PolicyFiles):
        """A policy that lets the other one win while it is being written to the database."""

        @property
        def digest(self) -> str:
            """The digest, which is taken then."""
            if not data_made:
                data_made.append(_init(data))
            return "0" * 64

    late = Late(catalogue=CATALOGUE)
    assert (
        code_of(lambda: init_service(data, issuer=ISSUER, policy=late, root_key_path=root, now=NOW))
        == "GK106"
    )
    assert len(data_made) == 1
    _check(data, data_made[0])
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_appears_in_between_stays_alone(tmp_path: Path) -> None:
    """Where a directory stood already and something came into it meanwhile, that stays, and ours is gone."""
    data = tmp_path / "data"
    data.mkdir()

    class Late(PolicyFiles):
        """A policy that lets a stranger come in while it is being written to the database."""

        @property
        def digest(self) -> str:
            """The digest, which is taken then."""
            (data / "gatekeeper.db").mkdir(exist_ok=True)
            (data / "gatekeeper.db" / "mine").write_text("mine")
            return "0" * 64

    late, root = Late(catalogue=CATALOGUE), tmp_path / "root.json"
    assert (
        code_of(lambda: init_service(data, issuer=ISSUER, policy=late, root_key_path=root, now=NOW))
        == "GK106"
    )
    assert _tree(tmp_path) == {"data/gatekeeper.db/mine": b"mine"}
    assert [path.name for path in data.iterdir()] == ["gatekeeper.db"]


@pytest.mark.parametrize("there", [False, True])
def test_of_two_at_once_one_wins(tmp_path: Path, there: object) -> None:
    """Whole, whether the directory stands there already or not; the other leaves nothing."""
    for number in range(4):
        data = tmp_path / str(number)
        if there:
            data.mkdir()
        outcomes = at_once(lambda d=data: _init(d), lambda d=data: _init(d))  # type: ignore[misc]
        (won,) = [outcome for outcome in outcomes if isinstance(outcome, InitResult)]
        _check(data, won)
    assert len(list(tmp_path.iterdir())) == 4


def test_the_root_key_may_lie_elsewhere_or_inside(tmp_path: Path) -> None:
    """Where it was asked for, and only there."""
    _init(tmp_path / "a", root=tmp_path / "stick.json")
    assert (tmp_path / "stick.json").exists()
    assert not (tmp_path / "a" / "keys" / "root.json").exists()
    _init(tmp_path / "b", root=tmp_path / "b" / "vault" / "root.json")
    assert (tmp_path / "b" / "vault" / "root.json").exists()
    assert not (tmp_path / "b" / "keys" / "root.json").exists()


def test_a_policy_may_be_given(tmp_path: Path) -> None:
    """It is the one in force, from its own date on."""
    text = "effective = 2027-02-01T00:00:00Z\n" + CATALOGUE
    _init(tmp_path / "a", policy=CATALOGUE)
    _init(tmp_path / "b", policy=text)
    for name, at, code in (("a", NOW, ""), ("b", NOW, "GK101"), ("b", NOW + 60 * DAY, "")):
        store = open_store(load_settings(tmp_path / name).database)
        with store.read() as tx:
            assert code_of(lambda t=tx, a=at: current_policy(t, now=a)) == code  # type: ignore[misc]
        store.close()


@pytest.mark.parametrize(
    ("issuer", "listen"),
    [
        ("http://localhost:8750", "127.0.0.1:8750"),
        ("http://localhost:9123", "127.0.0.1:9123"),
        ("http://127.0.0.1:9123", "127.0.0.1:9123"),
        ("http://127.0.0.2:9123", "127.0.0.2:9123"),
        ("http://[::1]:9123", "[::1]:9123"),
        ("http://localhost", "127.0.0.1:80"),
        ("https://gatekeeper.acme.example", "127.0.0.1:8750"),
        ("https://gatekeeper.acme.example:8443", "127.0.0.1:8750"),
    ],
)
def test_it_listens_where_its_issuer_is(tmp_path: Path, issuer: str, listen: str) -> None:
    """A service on loopback can be started as it was made."""
    _init(tmp_path / "data", issuer=issuer)
    settings = load_settings(tmp_path / "data")
    assert (settings.issuer, settings.listen) == (issuer, listen)
    if issuer.startswith("http:"):
        assert check_serves(settings).port == int(listen.rpartition(":")[2])


def test_an_unwritable_place_is_said_so(tmp_path: Path) -> None:
    """GK106 with the path: a folder that is missing, or a file in its place."""
    (tmp_path / "file").write_text("")
    assert code_of(lambda: _init(tmp_path / "missing" / "data")) == "GK106"
    assert code_of(lambda: _init(tmp_path / "file" / "data")) == "GK106"
    assert code_of(lambda: _init(tmp_path / "file")) == "GK106"
    assert _tree(tmp_path) == {"file": b""}


def test_two_services_share_nothing(tmp_path: Path) -> None:
    """Every ceremony makes its own keys."""
    assert _init(tmp_path / "a").trust_root != _init(tmp_path / "b").trust_root
    shutil.rmtree(tmp_path / "a")
    load_keys(tmp_path / "b")
