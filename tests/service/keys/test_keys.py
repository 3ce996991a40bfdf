"""Keys and their ceremony: certified by the root, for their eyes only, and the documents a client would accept."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.service.store.parts import DAY, NOW, code_of, new_store

from gatekeeper.service.keys.ceremony import RootInfo, make_keys, publish_root, reissue_root
from gatekeeper.service.keys.files import load_key, save_key
from gatekeeper.service.keys.signer import FileSigner, Keys, load_keys
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.service.store.transactions import Store
from gatekeeper.trust.chain import TrustedRoot, envelope_of, public_key_of
from gatekeeper.trust.library import verify_es256
from gatekeeper.trust.p256_plain import verify_es256 as verify_warm
from gatekeeper.trust.published import policy_keys
from gatekeeper.trust.root_documents import parse_root_payload, verify_chain
from gatekeeper.trust.sign import SigningKey

ISSUER = "https://gatekeeper.acme.example"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store."""
    store = new_store(tmp_path)
    yield store
    store.close()


def _make(data: Path, *, root: Path | None = None) -> RootInfo:
    return make_keys(data, issuer=ISSUER, root_key_path=root, now=NOW)


def _trusted(documents: list[bytes], pin: str) -> TrustedRoot:
    return verify_chain(
        documents, pins=(pin,), pin_threshold=1, issuer=ISSUER, min_version=1, verify=verify_warm
    )


def _by_purpose(keys: Keys) -> dict[str, list[str]]:
    return {p: [key.kid for key in getattr(keys, p)] for p in ("approval", "gateway", "status", "policy")}


def test_the_root_certifies_exactly_the_keys_that_sign(data: Path) -> None:
    """A client that pins the thumbprint accepts the document, which lists each key under its own purpose."""
    made = _make(data)
    trusted = _trusted([made.document], made.thumbprint)
    assert (trusted.version, trusted.issued_at, trusted.expires_at) == (1, NOW, NOW + 100 * DAY)
    assert (made.version, made.expires_at) == (1, NOW + 100 * DAY)
    payload = parse_root_payload(envelope_of(made.document)[0])
    assert payload.log_origin == "gatekeeper.acme.example/log/1"
    keys = load_keys(data)
    certified = {p: getattr(payload, p) for p in ("approval", "gateway", "status", "policy")}
    assert _by_purpose(keys) == {purpose: [key.kid for key in certified[purpose]] for purpose in certified}
    assert trusted.approval.keys == certified["approval"]
    assert policy_keys(trusted).keys == certified["policy"]
    kids = [kid for one in _by_purpose(keys).values() for kid in one]
    assert len({*kids, keys.log.kid, made.thumbprint}) == 6


def test_a_signer_signs_what_its_public_half_verifies(data: Path) -> None:
    """And says which key it is."""
    _make(data)
    signer = load_keys(data).approval[0]
    public = public_key_of(signer.public_jwk())
    assert public.kid == signer.kid
    assert verify_es256(public, b"message", signer.sign(b"message"))
    assert not verify_es256(public, b"massage", signer.sign(b"message"))
    assert "d" not in signer.public_jwk()


def test_keys_are_their_owner_s_alone(data: Path) -> None:
    """0600 in 0700."""
    _make(data)
    assert stat.S_IMODE((data / "keys").stat().st_mode) == 0o700
    files = sorted((data / "keys").iterdir())
    assert [file.name for file in files] == [
        "approval-1.json",
        "gateway-1.json",
        "log-1.json",
        "policy-1.json",
        "root.json",
        "status-1.json",
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_the_root_key_may_lie_elsewhere(data: Path, tmp_path: Path) -> None:
    """Then nothing inside has it."""
    made = _make(data, root=tmp_path / "stick.json")
    assert FileSigner(tmp_path / "stick.json", purpose="root").kid == made.thumbprint
    assert not (data / "keys" / "root.json").exists()
    secret = json.loads((tmp_path / "stick.json").read_text())["jwk"]["d"]
    assert all(secret not in file.read_text() for file in (data / "keys").iterdir())


def test_a_root_key_is_never_overwritten(data: Path, tmp_path: Path) -> None:
    """A file that stands there stays as it is, and so does one behind a link."""
    stick = tmp_path / "stick.json"
    stick.write_text("mine")
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "target.json")
    for path in (stick, link):
        assert code_of(lambda p=path: _make(data, root=p)) == "GK101"  # type: ignore[misc]
    assert stick.read_text() == "mine"
    assert not (tmp_path / "target.json").exists()


def test_a_ceremony_that_fails_takes_its_root_key_away(data: Path, tmp_path: Path) -> None:
    """A root key that certifies nothing must not lie around and be pinned by mistake."""
    (data / "keys").mkdir()
    (data / "keys" / "status-1.json").write_text("in the way")
    assert code_of(lambda: _make(data, root=tmp_path / "stick.json")) == "GK101"
    assert not (tmp_path / "stick.json").exists()


def test_the_newest_key_signs(data: Path) -> None:
    """By number, not by text: 10 comes after 9."""
    _make(data)
    kids = {}
    for number in (9, 10, 2):
        key = SigningKey.generate()
        kids[number] = key.kid
        path = data / "keys" / f"approval-{number}.json"
        save_key(path, purpose="approval", jwk=key.private_jwk(), now=NOW)
    assert [key.kid for key in load_keys(data).approval][:3] == [kids[10], kids[9], kids[2]]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644])
def test_a_key_that_others_can_reach_is_refused(data: Path, mode: int) -> None:
    """Whoever could read it may have signed with it."""
    _make(data)
    (data / "keys" / "approval-1.json").chmod(mode)
    assert code_of(lambda: load_keys(data)) == "GK101"


def test_a_key_of_one_purpose_serves_no_other(data: Path) -> None:
    """Renaming a file doesn't change what its key is for."""
    _make(data)
    folder = data / "keys"
    (folder / "approval-1.json").unlink()
    (folder / "gateway-1.json").rename(folder / "approval-1.json")
    assert code_of(lambda: load_keys(data)) == "GK101"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b"{" * 20_000, b'{"schema":2}'])
def test_a_damaged_key_is_said_so(data: Path, content: bytes) -> None:
    """GK101 with the path, never a traceback."""
    _make(data)
    (data / "keys" / "approval-1.json").write_bytes(content)
    assert code_of(lambda: load_keys(data)) == "GK101"


def test_a_key_with_another_s_private_half_is_refused(data: Path) -> None:
    """What it signs would verify nowhere."""
    _make(data)
    path = data / "keys" / "approval-1.json"
    content = json.loads(path.read_text())
    content["jwk"]["d"] = SigningKey.generate().private_jwk()["d"]
    path.write_text(json.dumps(content))
    assert code_of(lambda: load_keys(data)) == "GK101"


@pytest.mark.parametrize("what", ["missing", "directory", "link"])
def test_what_is_no_key_file_is_refused(data: Path, what: str) -> None:
    """Missing, a directory, a link to somewhere else."""
    _make(data)
    path = data / "keys" / "approval-1.json"
    target = path.rename(data / "elsewhere.json")
    if what == "directory":
        path.mkdir()
    elif what == "link":
        path.symlink_to(target)
    assert code_of(lambda: load_key(path, purpose="approval")) == "GK101"
    assert code_of(lambda: load_keys(data)) == "GK101"


def test_no_keys_at_all_are_said_so(tmp_path: Path) -> None:
    """A directory that is no service."""
    assert code_of(lambda: load_keys(tmp_path)) == "GK101"


def test_a_signer_shows_no_secret(data: Path) -> None:
    """Not even to a log."""
    made = _make(data)
    secrets = [json.loads(file.read_text())["jwk"]["d"] for file in (data / "keys").iterdir()]
    shown = repr(load_keys(data)) + repr(made) + str(load_keys(data).approval[0])
    assert all(secret not in shown for secret in secrets)


def test_a_reissue_is_the_next_version(data: Path, store: Store) -> None:
    """Accepted by clients that know the first, certifying the keys of today, for another 100 days."""
    made = _make(data)
    with store.write() as tx:
        publish_root(tx, made)
    key = SigningKey.generate()
    save_key(data / "keys" / "approval-2.json", purpose="approval", jwk=key.private_jwk(), now=NOW)
    with store.write() as tx:
        again = reissue_root(tx, data, issuer=ISSUER, root_key_path=None, now=NOW + DAY)
        published = (
            tx.execute(select(root_documents.c.document).order_by(root_documents.c.version)).scalars().all()
        )
    assert published == [made.document, again.document]
    trusted = _trusted([made.document, again.document], made.thumbprint)
    assert (trusted.version, trusted.expires_at) == (2, NOW + 101 * DAY)
    assert trusted.approval.keys[0].kid == key.kid


def test_only_the_published_root_reissues(data: Path, store: Store, tmp_path: Path) -> None:
    """Another root key, a missing one, or nothing published yet: refused, and nothing is published."""
    assert code_of(lambda: _reissue(store, data)) == "GK101"
    made = _make(data, root=tmp_path / "stick.json")
    assert code_of(lambda: _reissue(store, data, root=tmp_path / "stick.json")) == "GK101"
    with store.write() as tx:
        publish_root(tx, made)
    assert code_of(lambda: _reissue(store, data)) == "GK101"
    save_key(tmp_path / "other.json", purpose="root", jwk=SigningKey.generate().private_jwk(), now=NOW)
    assert code_of(lambda: _reissue(store, data, root=tmp_path / "other.json")) == "GK101"
    with store.read() as tx:
        assert len(tx.execute(select(root_documents)).all()) == 1


def _reissue(store: Store, data: Path, *, root: Path | None = None) -> RootInfo:
    with store.write() as tx:
        return reissue_root(tx, data, issuer=ISSUER, root_key_path=root, now=NOW)
