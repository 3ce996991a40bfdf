"""Whose tables count, and that a bad one costs time and nothing else."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest
from tests.fakes.world import FakeWorld

from gatekeeper.trust.chain import PublicKey
from gatekeeper.trust.p256 import GX, GY, TABLE_BYTES
from gatekeeper.trust.sign import SigningKey
from gatekeeper.workstation import state, tables

DIRECTORY = "/home/ada/state/profiles/default"
KEY, OTHER, THIRD = (SigningKey.generate() for _ in range(3))
MESSAGE = b"what is signed"
G = (GX.to_bytes(32, "big"), GY.to_bytes(32, "big"))


def path_of(key: PublicKey) -> str:
    """Return where a key's table stands."""
    return f"{DIRECTORY}/tables/{key.x.hex()}.p256"


def kept(*keys: SigningKey) -> FakeWorld:
    """Make a workstation that holds the tables of these keys."""
    world = FakeWorld()
    tables.keep_tables(world, DIRECTORY, [key.public for key in keys])
    world.calls.clear()
    return world


def table(world: FakeWorld, key: SigningKey = KEY) -> bytes:
    """Return the first point of a key's table, nothing where no table counts."""
    return b"".join(state.table_of(world, DIRECTORY, key.public.x, key.public.y)([0]))


def says(world: FakeWorld, key: SigningKey = KEY, by: SigningKey = KEY) -> bool:
    """Verify, as a launch does, a signature that `by` made for one of `key`'s."""
    return state.verifier_by_tables(world, DIRECTORY)(key.public, MESSAGE, by.sign(MESSAGE))


def test_tables_are_made_read_and_read_once() -> None:
    """A renewal keeps them, for this account alone; a verification reads each once; the answer is right."""
    world = kept(KEY)
    assert table(world) == KEY.public.x + KEY.public.y
    assert {world.stat(path).mode & 0o777 for path in world.files} == {0o600}
    world.calls.clear()
    verify = state.verifier_by_tables(world, DIRECTORY)
    assert verify(KEY.public, MESSAGE, KEY.sign(MESSAGE))
    assert world.names_of_calls().count("read_pieces") == 2
    assert not verify(KEY.public, MESSAGE + b".", KEY.sign(MESSAGE))
    assert "open_read" not in world.names_of_calls()


def test_a_forged_table_is_believed_which_is_why_its_owner_matters() -> None:
    """The points of another key under this key's name make the other's signature hold: the rule is not for show."""
    world = kept(KEY, OTHER)
    data, theirs = world.files[path_of(KEY.public)], world.files[path_of(OTHER.public)]
    assert isinstance(data, bytes)
    assert isinstance(theirs, bytes)
    world.files[path_of(KEY.public)] = data[:-TABLE_BYTES] + theirs[-TABLE_BYTES:]
    assert says(world, by=OTHER)
    world.owners[path_of(KEY.public)] = world.uid + 1
    assert not says(world, by=OTHER)
    del world.owners[path_of(KEY.public)]
    for mode in (0o620, 0o602, 0o666):
        world.modes[path_of(KEY.public)] = mode
        assert not says(world, by=OTHER)
        assert says(world)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data, _: data[:0],
        lambda data, _: data[:-1],
        lambda data, _: data + b"\0",
        lambda data, _: b"X" + data[1:],
        lambda data, _: data[:25] + bytes(64) + data[89:],
        lambda _, other: other,
    ],
    ids=["empty", "torn", "longer", "another format", "no key", "another key's"],
)
def test_what_is_not_this_keys_table_is_absent(damage: Callable[[bytes, bytes], bytes]) -> None:
    """Torn, of another format or of another key: passed over, and both answers stay right."""
    world = kept(KEY, OTHER)
    data, other = world.files[path_of(KEY.public)], world.files[path_of(OTHER.public)]
    assert isinstance(data, bytes)
    assert isinstance(other, bytes)
    world.files[path_of(KEY.public)] = damage(data, other)
    assert table(world) == b""
    assert says(world)
    assert not says(world, by=OTHER)


@pytest.mark.parametrize("filling", [b"\0", b"\xff", b"\x01"])
@pytest.mark.parametrize("of", ["G", "key"])
def test_wrong_points_refuse_nothing(filling: bytes, of: str) -> None:
    """A table whose points are no points costs a second computation; a good signature holds, a bad one doesn't."""
    world = kept(KEY)
    path = path_of(KEY.public) if of == "key" else f"{DIRECTORY}/tables/{G[0].hex()}.p256"
    data = world.files[path]
    assert isinstance(data, bytes)
    world.files[path] = data[:-TABLE_BYTES] + filling * TABLE_BYTES
    assert says(world)
    assert not says(world, by=OTHER)


@pytest.mark.parametrize("failure", [errno.ENOENT, errno.EACCES, errno.EIO, errno.ENOMEM])
def test_whatever_the_disk_says_the_answer_is_right(failure: int) -> None:
    """No failure of a read reaches the caller."""
    world = kept(KEY)
    world.refusing.add("read_pieces")
    world.failure = failure
    assert says(world)
    assert not says(world, by=OTHER)


def test_a_renewal_makes_what_is_missing_and_deletes_the_rest() -> None:
    """Keys that are gone leave no table behind, and what is there already isn't written again."""
    world = kept(KEY, OTHER)
    tables.keep_tables(world, DIRECTORY, [KEY.public, THIRD.public])
    assert table(world, KEY)
    assert table(world, THIRD)
    assert path_of(OTHER.public) not in world.files
    assert world.names_of_calls().count("replace") == 1


def test_a_damaged_table_is_made_again() -> None:
    """The next renewal repairs it."""
    world = kept(KEY)
    world.files[path_of(KEY.public)] = b"torn"
    tables.keep_tables(world, DIRECTORY, [KEY.public])
    assert table(world)


@pytest.mark.parametrize("refused", ["make_directory", "replace", "listdir", "remove"])
def test_a_disk_that_refuses_ends_no_renewal(refused: str) -> None:
    """Tables are a convenience: without them launches are slower."""
    world = kept(OTHER)
    world.refusing.add(refused)
    tables.keep_tables(world, DIRECTORY, [KEY.public])
    assert says(world)


def test_the_number_of_tables_has_a_limit() -> None:
    """A root document with many keys doesn't fill the disk, and those left out verify all the same."""
    keys = [SigningKey.generate() for _ in range(tables.MAX_TABLES + 2)]
    world = kept(*keys)
    assert len(world.files) == tables.MAX_TABLES
    assert says(world, key=keys[-1], by=keys[-1])


def test_coordinates_of_another_length_find_no_table() -> None:
    """x ‖ y split elsewhere is another key, and no path is made of hostile text."""
    world = kept(KEY)
    x, y = KEY.public.x + KEY.public.y[:1], KEY.public.y[1:]
    world.files[f"{DIRECTORY}/tables/{x.hex()}.p256"] = world.files[path_of(KEY.public)]
    assert state.table_of(world, DIRECTORY, x, y)([0]) == []
