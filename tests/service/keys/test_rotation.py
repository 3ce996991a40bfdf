"""Rotation: published before it signs, verified long after, dropped at once; and the root key itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.service.store.parts import DAY, NOW, new_store

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import entries
from gatekeeper.service.keys.ceremony import RootInfo, make_keys, next_origin, publish_root
from gatekeeper.service.keys.elsewhere import Reference
from gatekeeper.service.keys.signer import KeyRing, load_keys
from gatekeeper.service.operate.overview import key_rows
from gatekeeper.service.operate.root import drop_key, reissue_root, rotate_key, rotate_root
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.service.store.transactions import Store
from gatekeeper.trust.chain import PublicKey, TrustedRoot, envelope_of
from gatekeeper.trust.library import verify_es256
from gatekeeper.trust.root_documents import parse_root_payload, verify_chain
from gatekeeper.trust.sign import SigningKey

ISSUER = "https://gatekeeper.acme.example"
HOUR = 3600


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store."""
    store = new_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def made(store: Store, tmp_path: Path) -> RootInfo:
    """A service's keys in tmp_path, its root key there as well."""
    made = make_keys(tmp_path, issuer=ISSUER, root_key_path=None, now=NOW)
    with store.write() as tx:
        publish_root(tx, made)
    return made


def _chain(store: Store, pin: str) -> TrustedRoot:
    """Walk the published chain as a client that pins `pin` does."""
    with store.read() as tx:
        rows = tx.execute(select(root_documents.c.document).order_by(root_documents.c.version)).scalars()
        documents = [bytes(row) for row in rows]
    return verify_chain(
        documents, pins=(pin,), pin_threshold=1, issuer=ISSUER, min_version=1, verify=verify_es256
    )


def _rotate(store: Store, data: Path, *, now: int, **more: object) -> str:
    options = {"issuer": ISSUER, "root_key_path": None, "now": now} | more
    return rotate_key(store, data, "approval", **options).kid  # type: ignore[arg-type]


def test_a_new_key_is_published_two_days_before_it_signs(
    store: Store, made: RootInfo, tmp_path: Path
) -> None:
    """A process that runs begins to use it when its time has come, without a restart, and lists the old one on."""
    now = [NOW]
    ring = KeyRing(tmp_path, clock=lambda: now[0])
    before = ring.approval[0].kid
    new = _rotate(store, tmp_path, now=NOW)
    assert {key.kid for key in _chain(store, made.thumbprint).approval.keys} == {before, new}
    now[0] = NOW + 48 * HOUR - 1
    assert [key.kid for key in ring.approval] == [before, new]
    now[0] = NOW + 48 * HOUR
    assert [key.kid for key in ring.approval] == [new, before]
    rows = {row.kid: row for row in key_rows(tmp_path, now=NOW)}
    assert (rows[before].signs, rows[new].signs, rows[new].use_at) == (True, False, NOW + 48 * HOUR)
    with store.read() as tx:
        assert [entry.act for entry in entries(tx)][-1] == "key.rotated"


def test_one_key_waits_at_a_time(store: Store, made: RootInfo, tmp_path: Path) -> None:
    """A second rotation before the first has its time is refused, and leaves nothing."""
    _rotate(store, tmp_path, now=NOW)
    with pytest.raises(GatekeeperError, match="waits for its time"):
        _rotate(store, tmp_path, now=NOW + 1)
    assert len(load_keys(tmp_path).approval) == 2


def test_a_stolen_key_is_replaced_and_dropped_at_once(store: Store, made: RootInfo, tmp_path: Path) -> None:
    """The incident: a new key signs now, and the newest root document no longer knows the stolen one."""
    stolen = load_keys(tmp_path).approval[0].kid
    options = {"issuer": ISSUER, "root_key_path": None, "now": NOW + 1}
    with pytest.raises(GatekeeperError, match="No other approval key"):
        drop_key(store, tmp_path, stolen, **options)  # type: ignore[arg-type]
    new = _rotate(store, tmp_path, now=NOW, at_once=True)
    drop_key(store, tmp_path, stolen, **options)  # type: ignore[arg-type]
    trusted = _chain(store, made.thumbprint)
    assert [key.kid for key in trusted.approval.keys] == [new]
    assert trusted.version == 3
    assert [key.kid for key in load_keys(tmp_path, now=NOW).approval] == [new]
    with pytest.raises(GatekeeperError, match="no key of that thumbprint"):
        drop_key(store, tmp_path, stolen, **options)  # type: ignore[arg-type]


def test_what_fails_leaves_no_file(store: Store, made: RootInfo, tmp_path: Path) -> None:
    """Without the root key nothing is published, so nothing is made, moved or lost either."""
    root = tmp_path / "keys" / "root.json"
    root.rename(tmp_path / "root.json")
    before = sorted(path.name for path in (tmp_path / "keys").rglob("*.json"))
    kid = load_keys(tmp_path).approval[0].kid
    with pytest.raises(GatekeeperError):
        _rotate(store, tmp_path, now=NOW)
    _rotate(store, tmp_path, now=NOW, at_once=True, root_key_path=tmp_path / "root.json")
    with pytest.raises(GatekeeperError):
        drop_key(store, tmp_path, kid, issuer=ISSUER, root_key_path=None, now=NOW)
    after = sorted(path.name for path in (tmp_path / "keys").rglob("*.json"))
    assert after == sorted([*before, "approval-2.json"])


def test_a_new_root_key_is_followed(store: Store, made: RootInfo, tmp_path: Path) -> None:
    """Clients that pin the old thumbprint walk on; new ones pin the new; the old key signs nothing more."""
    new_path = tmp_path / "new-root.json"
    new = rotate_root(store, tmp_path, new_path, issuer=ISSUER, root_key_path=None, now=NOW + DAY)
    assert _chain(store, made.thumbprint).version == 2
    with pytest.raises(GatekeeperError, match="isn't this root key's"):
        reissue_root(store, tmp_path, issuer=ISSUER, root_key_path=None, now=NOW + DAY)
    again = reissue_root(store, tmp_path, issuer=ISSUER, root_key_path=new_path, now=NOW + DAY)
    assert (again.thumbprint, again.version) == (new.thumbprint, 3)
    trusted = _chain(store, made.thumbprint)
    assert [key.kid for key in trusted.roots] == [new.thumbprint]


def test_a_log_that_begins_anew_has_another_name(store: Store, made: RootInfo, tmp_path: Path) -> None:
    """The next root document names it; any other reissue keeps the name."""
    names = []
    for new_log in (False, True, True):
        info = reissue_root(
            store, tmp_path, issuer=ISSUER, root_key_path=None, new_log_origin=new_log, now=NOW
        )
        names.append(parse_root_payload(envelope_of(info.document)[0]).log_origin)
    assert names == [f"gatekeeper.acme.example/log/{number}" for number in (1, 2, 3)]
    assert next_origin("odd") == "odd/2"


class Drawer:
    """A keeper of keys whose keys are in memory."""

    def __init__(self) -> None:
        self.key = SigningKey.generate()

    def public_key(self, name: str) -> PublicKey:
        """Return the public half."""
        return self.key.public

    def sign(self, name: str, message: bytes) -> bytes:
        """Sign."""
        return self.key.sign(message)


def test_a_key_that_lives_elsewhere_takes_over(store: Store, made: RootInfo, tmp_path: Path) -> None:
    """Its file holds no private half; it is published, waits, signs, and is the same key for good."""
    drawer = Drawer()
    options = {"reference": Reference(kind="pkcs11", name="approval"), "keepers": lambda _: drawer}
    kid = _rotate(store, tmp_path, now=NOW, **options)
    assert kid == drawer.key.kid
    assert '"d"' not in (tmp_path / "keys" / "approval-2.json").read_text()
    keys = load_keys(tmp_path, keepers=lambda _: drawer, now=NOW + 3 * DAY)
    assert verify_es256(drawer.key.public, b"m", keys.approval[0].sign(b"m"))
    with pytest.raises(GatekeeperError, match=r"no \[signer.pkcs11\]"):
        load_keys(tmp_path)
    with pytest.raises(GatekeeperError, match="one of the service's keys already"):
        _rotate(store, tmp_path, now=NOW + 3 * DAY, **options)


def test_a_ring_outlives_a_folder_that_cannot_be_read(
    made: RootInfo, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever happens to the files beneath a process that runs, it goes on with the keys it has, and says so."""
    ring = KeyRing(tmp_path, clock=lambda: NOW)
    before = ring.status[0].kid
    (tmp_path / "keys" / "status-1.json").unlink()
    assert ring.status[0].kid == before
    assert "can't be read anew" in caplog.text
