"""Where the credential stands: one place that policy allows, readable by its owner, reached within a time."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.conftest import STATE
from tests.fakes.world import FakeWorld

from gatekeeper.client import credentials
from gatekeeper.client.credential_item import Credential, parse_item, render_item
from gatekeeper.client.credentials import (
    KeyringSilent,
    delete_credential,
    load_credential,
    save_credential,
)
from gatekeeper.errors import GatekeeperError
from gatekeeper.strict import parse_object, render_json
from gatekeeper.trust.sign import SigningKey
from gatekeeper.workstation.posix import PosixWorld
from gatekeeper.workstation.settings import Settings

ISSUER = "https://gatekeeper.acme.example"
JWK = render_json(SigningKey.generate().private_jwk()).decode()
CREDENTIAL = Credential(
    issuer=ISSUER,
    device_key_jwk=JWK,
    refresh_token="refresh",
    subject="u_ada",
    name="ada@acme.example",
    device="d_1",
)
FILE = "/home/ada/.local/share/gatekeeper/credentials/default.json"


def make_settings(**changes: object) -> Settings:
    """Make settings that keep credentials in a file."""
    return Settings(
        service=ISSUER,
        trust_roots=(),
        trust_threshold=1,
        min_root_version=0,
        profile="default",
        credential_store="file",
        allow_file_store=True,
        verifier="own",
        ca_bundle="",
        offline=False,
        no_input=True,
        managed=False,
        state_directory=STATE,
        origins=(),
    ).replace(**changes)


@given(
    st.builds(
        Credential,
        issuer=st.just(ISSUER),
        device_key_jwk=st.sampled_from(["", JWK]),
        refresh_token=st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
        name=st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
        pending_jwk=st.sampled_from(["", JWK]),
        pending_at=st.integers(0, 2**40),
    )
)
def test_an_item_is_read_back(credential: Credential) -> None:
    """parse∘render is the identity."""
    assert parse_item(render_item(credential), issuer=ISSUER) == credential


@given(st.binary(max_size=200))
def test_a_hostile_item_is_none(data: bytes) -> None:
    """Whatever a keyring gives back, reading it never raises."""
    parse_item(data, issuer=ISSUER)


def test_another_services_item_is_none() -> None:
    """A credential is for one issuer; another's is not used, so its refresh token goes nowhere."""
    assert parse_item(render_item(CREDENTIAL), issuer="https://evil.acme.example") is None


def test_a_private_key_is_never_shown() -> None:
    """The representation, which tracebacks and logs show, holds neither key nor token."""
    shown = repr(CREDENTIAL.replace(refresh_token="secret-token", pending_jwk=JWK))
    assert "secret-token" not in shown
    assert str(parse_object(JWK.encode(), max_bytes=4096)["d"]) not in shown


def test_a_pending_and_a_standing_key_fit_windows() -> None:
    """The whole item stays below the 2,560 bytes of UTF-16 that Windows keeps."""
    full = CREDENTIAL.replace(
        refresh_token="r" * 64, pending_jwk=JWK, pending_code="c" * 22, pending_at=1_800_000_000
    )
    assert 2 * len(render_item(full)) < 2560


@pytest.mark.parametrize("store", ["file", "memory"])
def test_a_store_keeps_one_item(store: str) -> None:
    """What is saved is loaded, the newest counts, deleting twice is no error."""
    world, settings = FakeWorld(), make_settings(credential_store=store, profile=f"keeps-{store}")
    assert load_credential(world, settings) is None
    save_credential(world, settings, CREDENTIAL.replace(refresh_token="old"))
    stored = save_credential(world, settings, CREDENTIAL)
    assert (stored.where, stored.announcement()) == (store, "")
    assert load_credential(world, settings) == CREDENTIAL
    assert load_credential(world, settings.replace(profile="other")) is None
    assert load_credential(world, settings.replace(service="https://other.acme.example")) is None
    delete_credential(world, settings)
    delete_credential(world, settings)
    assert load_credential(world, settings) is None


def test_memory_is_not_on_the_disk() -> None:
    """The store for CI writes nothing."""
    world = FakeWorld()
    save_credential(world, make_settings(credential_store="memory"), CREDENTIAL)
    assert world.files == {}


def test_the_file_is_its_owners_alone(own_home: Path) -> None:
    """On a real disk: 0600 in 0700, in the data directory, not beside the state."""
    stored = save_credential(PosixWorld(), make_settings(), CREDENTIAL)
    path = Path(stored.path)
    assert path == own_home / ".local/share/gatekeeper/credentials/default.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(("mode", "uid"), [(0o640, 1000), (0o604, 1000), (0o600, 1001)])
def test_a_file_that_others_may_have_read_is_none(mode: int, uid: int) -> None:
    """A key that another account may know signs nothing any more."""
    world, settings = FakeWorld(), make_settings()
    save_credential(world, settings, CREDENTIAL)
    world.modes[FILE], world.owners[FILE] = mode, uid
    assert load_credential(world, settings) is None


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b'{"schema":2}', b"\xff", b"[" * 500])
def test_a_torn_file_is_none(data: bytes) -> None:
    """A file that isn't ours is as if it weren't there, and login replaces it."""
    world, settings = FakeWorld(), make_settings()
    save_credential(world, settings, CREDENTIAL)
    world.files[FILE] = data
    assert load_credential(world, settings) is None


@pytest.mark.parametrize("store", ["file", "keyring"])
def test_no_place_that_policy_allows(store: str) -> None:
    """Without a keyring and with the file store forbidden nothing is written: GK205, which names the key."""
    world = FakeWorld()
    with pytest.raises(GatekeeperError) as caught:
        save_credential(
            world, make_settings(credential_store=store, allow_file_store=False), CREDENTIAL, prompt_for=9
        )
    assert caught.value.code == "GK205"
    assert "allow_file_store" in caught.value.detail
    assert world.files == {}


def test_the_file_is_announced_where_a_keyring_was_wanted() -> None:
    """No keyring here (the test's environment has none): the file stands in, and one line says where and why."""
    world, settings = FakeWorld(), make_settings(credential_store="keyring")
    stored = save_credential(world, settings, CREDENTIAL)
    assert stored.where == "file"
    assert FILE in stored.announcement()
    assert "no keyring answered" in stored.announcement()
    assert load_credential(world, settings) == CREDENTIAL


def test_a_forbidden_file_is_not_read() -> None:
    """A file from before the policy forbade it is no credential; the keyring alone is asked, and none is here."""
    world = FakeWorld()
    save_credential(world, make_settings(), CREDENTIAL)
    with pytest.raises(KeyringSilent) as caught:
        load_credential(world, make_settings(credential_store="keyring", allow_file_store=False))
    assert caught.value.missing


# A stand-in for the keyring package: the child imports it by name, from the path that it is given.

BACKEND = """
import json, os, sys, time
FILE = {file!r}
class Keyring:
    priority = 5
    def _load(self):
        return json.load(open(FILE)) if os.path.exists(FILE) else {{}}
    def get_password(self, service, name):
        print("noise on stdout")
        {get}
        return self._load().get(service + "/" + name)
    def set_password(self, service, name, value):
        {put}
        kept = self._load(); kept[service + "/" + name] = value; json.dump(kept, open(FILE, "w"))
    def delete_password(self, service, name):
        kept = self._load()
        if kept.pop(service + "/" + name, None) is None:
            from keyring.errors import PasswordDeleteError
            raise PasswordDeleteError
        json.dump(kept, open(FILE, "w"))
"""
ERRORS = "class KeyringLocked(Exception): pass\nclass PasswordDeleteError(Exception): pass\n"


class FakeKeyring:
    """A package `keyring` on a path of its own, whose Secret Service backend does as told."""

    def __init__(self, folder: Path) -> None:
        self.items = folder / "items.json"
        self.package = folder / "keyring"
        (self.package / "backends").mkdir(parents=True)
        (self.package / "__init__.py").write_text("import os\nSEEN = dict(os.environ)\n")
        (self.package / "errors.py").write_text(ERRORS)
        (self.package / "backends" / "__init__.py").write_text("")
        self.behave()

    def behave(self, *, get: str = "pass", put: str = "pass") -> None:
        """Say what reading and writing do first."""
        source = BACKEND.format(file=str(self.items), get=get, put=put)
        (self.package / "backends" / "SecretService.py").write_text(source)


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKeyring:
    """Put a keyring before the real one on this process's path, which its child gets."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return FakeKeyring(tmp_path)


ASKING = make_settings(credential_store="keyring")


def test_the_keyring_keeps_one_item(keyring: FakeKeyring) -> None:
    """Saved, loaded, deleted, through the child; what the backend prints is no part of the answer."""
    world = FakeWorld()
    assert load_credential(world, ASKING) is None
    assert save_credential(world, ASKING, CREDENTIAL).where == "keyring"
    assert load_credential(world, ASKING) == CREDENTIAL
    assert world.files == {}
    delete_credential(world, ASKING)
    delete_credential(world, ASKING)
    assert load_credential(world, ASKING) is None


def test_the_keyring_takes_over_from_a_file(keyring: FakeKeyring) -> None:
    """After a sign-in into the keyring an older file is gone, since it would be found first."""
    world = FakeWorld()
    save_credential(world, make_settings(), CREDENTIAL.replace(refresh_token="old"))
    save_credential(world, ASKING, CREDENTIAL)
    assert FILE not in world.files
    assert load_credential(world, ASKING) == CREDENTIAL


@pytest.mark.parametrize(
    "get", ["time.sleep(600)", "raise OSError('boom')", "os._exit(3)", "os.write(1, b'{}'); os._exit(0)"]
)
def test_a_keyring_that_hangs_or_breaks_is_silent(keyring: FakeKeyring, get: str) -> None:
    """Slow, raising or dying: GK601 within the limit, and never "signed out"."""
    keyring.behave(get=get)
    with pytest.raises(KeyringSilent) as caught:
        load_credential(FakeWorld(), ASKING, prompt_for=1.5)
    assert caught.value.code == "GK601"
    assert not caught.value.missing


def test_a_locked_keyring_is_silent(keyring: FakeKeyring) -> None:
    """Locked is neither signed out nor a reason to write a file when loading."""
    keyring.behave(get="from keyring.errors import KeyringLocked; raise KeyringLocked('no')")
    with pytest.raises(KeyringSilent) as caught:
        load_credential(FakeWorld(), ASKING)
    assert "locked" in caught.value.detail


def test_a_keyring_that_forgets_is_not_believed(keyring: FakeKeyring) -> None:
    """A write that does not come back (WSL) falls back to the announced file."""
    keyring.behave(put="return")
    stored = save_credential(FakeWorld(), ASKING, CREDENTIAL)
    assert (stored.where, "keep" in stored.why) == ("file", True)


def test_no_variable_chooses_the_backend(keyring: FakeKeyring, tmp_path: Path) -> None:
    """PYTHON_KEYRING_BACKEND, KEYRING_PROPERTY_*, PYTHONSTARTUP and the rest never reach the child."""
    seen = tmp_path / "seen"
    keyring.behave(get=f"open({str(seen)!r}, 'w').write(json.dumps(dict(os.environ)))")
    hostile = {
        "HOME": "/home/ada",
        "PYTHON_KEYRING_BACKEND": "evil.Backend",
        "KEYRING_PROPERTY_APPID": "evil",
        "PYTHONPATH": "/evil",
        "PYTHONHOME": "/evil",
        "XDG_CONFIG_HOME": "/evil",
        "LD_PRELOAD": "/evil.so",
    }
    load_credential(FakeWorld(environment=hostile), ASKING)
    text = seen.read_text()
    assert "evil" not in text
    assert "/home/ada" in text


def test_the_real_backends_are_imported_by_name() -> None:
    """The allow-list names modules and classes that the installed keyring has, and no catch-all."""
    from importlib import import_module

    for module, class_name in credentials.BACKENDS:
        assert hasattr(import_module(module), class_name)
        assert not module.endswith(("fail", "null", "chainer"))
