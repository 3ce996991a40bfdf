"""What is kept between launches: every loader is total, every writer names the path."""

from __future__ import annotations

import errno
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.world import FakeWorld, Link

from gatekeeper.errors import GatekeeperError
from gatekeeper.strict import parse_object, render_json
from gatekeeper.values import Absent
from gatekeeper.workstation import keeping, state
from gatekeeper.workstation.keeping import RootState
from gatekeeper.workstation.state import DeviceState, TokenState
from gatekeeper.workstation.world import Stat

DIRECTORY = "/home/ada/state/profiles/default"
NUMBERS = st.integers(0, 10**15)
WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
ASCII = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=60)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9._+-]{0,20}", fullmatch=True)
DEVICE = DeviceState(
    mark="m", issuer="https://gk.acme.example", subject="u_1", name="ada", device="d_1", jkt="k"
)
ROOT = RootState(pins=("p",), threshold=1, documents=(b"{}",), fetched_at=5)
TOKEN = TokenState(mark="m", tool="claude", executables=("claude",), token=b"a.b.c")


def fill(world: FakeWorld) -> None:
    """Write one of every file."""
    keeping.save_device(world, DIRECTORY, DEVICE)
    keeping.save_root(world, DIRECTORY, ROOT)
    keeping.save_token(world, DIRECTORY, ("claude",), TOKEN)
    state.save_high_water(world, DIRECTORY, 7)
    keeping.save_backoff(world, DIRECTORY, 8)
    keeping.save_catalogue(world, DIRECTORY, b"x.y.z")
    keeping.save_nonce(world, DIRECTORY, "n")
    keeping.save_digest(world, DIRECTORY, stat(1), "0" * 64)


LOADERS: dict[str, tuple[Callable[[FakeWorld], object], object]] = {
    "device.json": (lambda w: state.load_device(w, DIRECTORY), DEVICE),
    "root.json": (lambda w: keeping.load_root(w, DIRECTORY), ROOT),
    "tokens/claude.json": (lambda w: state.load_token(w, DIRECTORY, "claude"), TOKEN),
    "highwater.json": (lambda w: state.load_high_water(w, DIRECTORY), 7),
    "backoff.json": (lambda w: keeping.load_backoff(w, DIRECTORY), 8),
    "catalogue.json": (lambda w: keeping.load_catalogue(w, DIRECTORY), b"x.y.z"),
    "nonce.json": (lambda w: keeping.load_nonce(w, DIRECTORY), "n"),
    "digests.json": (lambda w: state.load_digests(w, DIRECTORY), {"1 1 1 1 1": "0" * 64}),
}
EMPTY: dict[str, object] = {"highwater.json": None, "backoff.json": 0, "nonce.json": "", "digests.json": {}}


def stat(number: int) -> Stat:
    """Make a stat whose key is five times `number`."""
    return Stat(
        device=number, inode=number, size=number, mtime_ns=number, ctime_ns=number, mode=0o100755, uid=1000
    )


def bytes_of(world: FakeWorld, path: str) -> bytes:
    """Return a file's bytes."""
    data = world.files[path]
    assert isinstance(data, bytes)
    return data


def is_absent(name: str, loaded: object) -> bool:
    """Say whether a loader said that there is nothing."""
    return loaded == EMPTY[name] if name in EMPTY else isinstance(loaded, Absent)


@given(
    mark=WORDS,
    issuer=WORDS,
    subject=WORDS,
    name=st.text(st.characters(codec="utf-8")),
    device=WORDS,
    jkt=WORDS,
)
def test_an_enrolment_comes_back_as_it_was(**fields: Any) -> None:
    """Loading what was saved is the identity for every enrolment."""
    world = FakeWorld()
    keeping.save_device(world, DIRECTORY, DeviceState(**fields))
    assert state.load_device(world, DIRECTORY) == DeviceState(**fields)


@given(
    pins=st.tuples(WORDS),
    threshold=NUMBERS,
    documents=st.lists(st.binary(max_size=99)).map(tuple),
    fetched_at=NUMBERS,
)
def test_a_chain_comes_back_byte_for_byte(**fields: Any) -> None:
    """Loading what was saved is the identity for root documents, whatever their bytes."""
    world = FakeWorld()
    keeping.save_root(world, DIRECTORY, RootState(**fields))
    assert keeping.load_root(world, DIRECTORY) == RootState(**fields)


@given(mark=WORDS, tool=NAMES, executables=st.lists(NAMES, max_size=4, unique=True), token=ASCII)
def test_a_token_is_found_under_its_id_and_its_executables(
    mark: str, tool: str, executables: list[str], token: str
) -> None:
    """A token is kept under every name that it is started by, and listed once."""
    world = FakeWorld()
    kept = TokenState(mark=mark, tool=tool, executables=tuple(executables), token=token.encode())
    keeping.save_token(world, DIRECTORY, (tool, *executables), kept)
    for word in (tool, *executables):
        assert state.load_token(world, DIRECTORY, word) == kept
    assert keeping.list_tokens(world, DIRECTORY) == [kept]


@given(tool=NAMES, other=NAMES)
def test_a_token_under_another_name_is_absent(tool: str, other: str) -> None:
    """A file that was renamed to another tool's name launches nothing."""
    world = FakeWorld()
    keeping.save_token(world, DIRECTORY, (tool,), TOKEN.replace(tool=tool, executables=(tool,)))
    world.files[f"{DIRECTORY}/tokens/{other}.json"] = world.files[f"{DIRECTORY}/tokens/{tool}.json"]
    assert isinstance(state.load_token(world, DIRECTORY, other), Absent) == (other != tool)


@given(word=st.text(max_size=70))
def test_a_hostile_word_reads_no_file_outside(word: str) -> None:
    """Whatever word is asked for, nothing but a file of the tokens' folder is opened."""
    world = FakeWorld()
    assert isinstance(state.load_token(world, DIRECTORY, word), Absent)
    for name, *arguments in world.calls:
        assert name == "open_read"
        folder, _, file = arguments[0].rpartition("/")
        assert folder == f"{DIRECTORY}/tokens"
        assert file == f"{word}.json"
        assert ".." not in file.split("/")


@pytest.mark.parametrize("name", LOADERS)
@given(data=st.data())
def test_no_bytes_make_a_loader_raise(name: str, data: st.DataObject) -> None:
    """Whatever a file holds, its loader answers: absent, or a value of its type."""
    load, _ = LOADERS[name]
    world = FakeWorld()
    fill(world)
    path = f"{DIRECTORY}/{name}"
    good = world.files[path]
    assert isinstance(good, bytes)
    members = parse_object(good, max_bytes=10_000)
    wrong = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-5, 5),
        st.text(max_size=5),
        st.lists(st.integers(0, 3), max_size=2),
    )
    changed = st.dictionaries(st.sampled_from(sorted(members)), wrong, min_size=1)
    content = data.draw(
        st.one_of(
            st.binary(max_size=60),
            st.integers(0, len(good) - 1).map(lambda n: good[:n]),
            changed.map(lambda change: render_json({**members, **change})),
        )
    )
    world.files[path] = content
    load(world)


@pytest.mark.parametrize("name", LOADERS)
def test_what_was_saved_is_loaded(name: str) -> None:
    """Each loader reads what its writer wrote (so that the absences below mean something)."""
    load, expected = LOADERS[name]
    world = FakeWorld()
    fill(world)
    assert load(world) == expected


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda world, path: world.files.pop(path),
        lambda world, path: world.files.update({path: bytes_of(world, path)[:-3]}),
        lambda world, path: world.files.update({path: b"[]"}),
        lambda world, path: world.files.update({path: b""}),
        lambda world, path: world.files.update({path: bytes_of(world, path).replace(b'"schema":1', b'"schema":2')}),
        lambda world, path: world.files.update({path: bytes_of(world, path).replace(b'"schema":1', b'"schema":true')}),
        lambda world, path: world.files.update({path: bytes_of(world, path) + b" " * 2_000_000}),
        lambda world, path: world.owners.update({path: 0}),
        lambda world, path: world.modes.update({path: 0o620}),
        lambda world, path: world.modes.update({path: 0o602}),
        lambda world, path: world.files.update({path: Link("/nowhere")}),
        lambda world, _path: world.refusing.add("open_read"),
        lambda world, _path: world.refusing.add("user_id"),
    ],
    ids=["gone", "torn", "array", "empty", "schema2", "schema-true", "huge", "owner", "group", "other", "dangling", "io", "uid"],
)  # fmt: skip
def test_a_file_that_cannot_be_believed_is_absent(
    name: str, spoil: Callable[[FakeWorld, str], object]
) -> None:
    """Gone, torn, too big, of another schema or owner, writable by others, unreadable: each counts as absent."""
    load, _ = LOADERS[name]
    world = FakeWorld()
    fill(world)
    spoil(world, f"{DIRECTORY}/{name}")
    assert is_absent(name, load(world))


@pytest.mark.parametrize("name", ["device.json", "root.json", "tokens/claude.json", "catalogue.json"])
def test_an_absence_tells_a_damaged_file_from_a_missing_one(name: str) -> None:
    """Missing has no code; damaged is GK701 and names the path."""
    load, _ = LOADERS[name]
    world = FakeWorld()
    missing = load(world)
    assert isinstance(missing, Absent)
    assert missing.code == ""
    fill(world)
    world.files[f"{DIRECTORY}/{name}"] = b"{"
    damaged = load(world)
    assert isinstance(damaged, Absent)
    assert damaged.code == "GK701"
    assert f"{DIRECTORY}/{name}" in damaged.reason


SAVERS: dict[str, Callable[[FakeWorld], None]] = {
    "device": lambda w: keeping.save_device(w, DIRECTORY, DEVICE),
    "root": lambda w: keeping.save_root(w, DIRECTORY, ROOT),
    "token": lambda w: keeping.save_token(w, DIRECTORY, ("claude",), TOKEN),
    "highwater": lambda w: state.save_high_water(w, DIRECTORY, 7),
    "backoff": lambda w: keeping.save_backoff(w, DIRECTORY, 8),
    "catalogue": lambda w: keeping.save_catalogue(w, DIRECTORY, b"x"),
    "nonce": lambda w: keeping.save_nonce(w, DIRECTORY, "n"),
    "digest": lambda w: keeping.save_digest(w, DIRECTORY, stat(1), "0" * 64),
}


@pytest.mark.parametrize("name", SAVERS)
@pytest.mark.parametrize(("call", "code"), [("replace", "GK701"), ("make_directory", "GK106")])
def test_a_disk_that_refuses_is_told_with_path_and_remedy(name: str, call: str, code: str) -> None:
    """A full or read-only disk is an error of its own code that names the path and what to do."""
    world = FakeWorld(failure=errno.ENOSPC)
    world.refusing.add(call)
    with pytest.raises(GatekeeperError) as caught:
        SAVERS[name](world)
    assert caught.value.code == code
    assert DIRECTORY in caught.value.detail
    assert "No space left" in caught.value.detail
    assert caught.value.remedy


def test_removing_a_tool_removes_it_under_every_name_and_what_cannot_be_read() -> None:
    """After a refusal nothing of the tool launches, under no name; other tools stay."""
    world = FakeWorld()
    two = TOKEN.replace(executables=("claude", "cc"))
    keeping.save_token(world, DIRECTORY, ("claude", "cc"), two)
    codex = TOKEN.replace(tool="codex", executables=("codex",))
    keeping.save_token(world, DIRECTORY, ("codex",), codex)
    world.files[f"{DIRECTORY}/tokens/torn.json"] = b"{"
    keeping.remove_tokens(world, DIRECTORY, "claude")
    assert keeping.list_tokens(world, DIRECTORY) == [codex]
    assert [p for p in world.files if "/tokens/" in p] == [f"{DIRECTORY}/tokens/codex.json"]
    keeping.remove_tokens(world, DIRECTORY, "")
    assert not [p for p in world.files if "/tokens/" in p]


@pytest.mark.parametrize("call", ["remove", "listdir"])
def test_a_token_that_cannot_be_deleted_is_an_error(call: str) -> None:
    """A deletion that fails is never silent: the refused token would come back."""
    world = FakeWorld()
    fill(world)
    world.refusing.add(call)
    with pytest.raises(GatekeeperError) as caught:
        keeping.remove_tokens(world, DIRECTORY, "claude")
    assert caught.value.code == "GK701"


def test_removing_from_an_empty_state_is_no_error() -> None:
    """Signing out twice is fine."""
    world = FakeWorld()
    keeping.remove_tokens(world, DIRECTORY, "")
    keeping.remove_device(world, DIRECTORY)
    keeping.remove_catalogue(world, DIRECTORY)


@pytest.mark.parametrize(
    "change",
    [
        lambda world: setattr(world, "machine", "machine-two"),
        lambda world: setattr(world, "uid", 1001),
        lambda world: world.inodes.update({DIRECTORY: 999}),
    ],
    ids=["machine", "user", "copied"],
)
def test_the_device_mark_changes_with_machine_person_and_folder(
    change: Callable[[FakeWorld], object],
) -> None:
    """A copy to another machine, account or directory has another mark; the same place keeps its own."""
    world = FakeWorld()
    world.make_directory(DIRECTORY)
    mark = state.device_mark(world, DIRECTORY)
    assert mark
    assert state.device_mark(world, DIRECTORY) == mark
    change(world)
    assert state.device_mark(world, DIRECTORY) not in ("", mark)


def test_without_a_folder_there_is_no_mark() -> None:
    """The mark of nothing is empty, which no enrolment carries."""
    assert state.device_mark(FakeWorld(), DIRECTORY) == ""
    world = FakeWorld()
    keeping.save_device(world, DIRECTORY, DEVICE.replace(mark=""))
    assert isinstance(state.load_device(world, DIRECTORY), Absent)


@given(st.lists(st.integers(0, 2**63), max_size=80, unique=True))
def test_the_newest_digests_are_kept(numbers: list[int]) -> None:
    """The cache keeps the newest 64 digests, of files as big and old as any, and stays readable."""
    world = FakeWorld()
    for number in numbers:
        keeping.save_digest(world, DIRECTORY, stat(number), f"{number % 16:x}" * 64)
    digests = state.load_digests(world, DIRECTORY)
    assert [int(key.split(" ")[0]) for key in digests] == numbers[-64:]
    for number in numbers[-64:]:
        assert state.digest_of(digests, stat(number)) == f"{number % 16:x}" * 64
        assert state.digest_of(digests, stat(number).replace(ctime_ns=number + 1)) == ""
