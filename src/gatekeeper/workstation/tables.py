"""Tables of the keys that a launch verifies with, kept beside the state: who may write them, and whose count.

A table with wrong points can make a bad signature hold. It counts only where whoever could have written it could
as well have changed the pins: beside pins of the person's own, from a file of this account that no other may
write, judged on the open descriptor. Under managed pins nothing in the person's folder counts, so the caller
doesn't ask here at all. Any other file (absent, torn, of another key) is passed over, and a signature that a table
doesn't confirm is computed without one: a damaged table costs time and refuses nothing.
"""

from __future__ import annotations

from gatekeeper.trust.p256 import GX, GY, TABLE_BYTES, verify_by_tables, verify_es256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatekeeper.trust.jws import PublicKey, Verify
    from gatekeeper.workstation.world import World

FOLDER = "tables"
MAX_TABLES = 8  # of 88 KB each; under a root document with more keys, launches are a little slower
_MAGIC = b"gatekeeper P-256 table 1\n"
_MAX_BYTES = len(_MAGIC) + 64 + TABLE_BYTES
_G = (GX.to_bytes(32, "big"), GY.to_bytes(32, "big"))


def verifier_by_tables(world: World, directory: str) -> Verify:
    """Return a verifier that uses the tables of this profile's folder, where there are any."""
    known: dict[tuple[bytes, bytes], bytes] = {}

    def table(x: bytes, y: bytes) -> bytes:
        if (x, y) not in known:
            known[x, y] = load_table(world, directory, x, y)
        return known[x, y]

    def verify(key: PublicKey, message: bytes, signature: bytes) -> bool:
        of_key = table(key.x, key.y)
        of_g = table(*_G) if of_key else b""
        if of_g and verify_by_tables(message, signature, of_g=of_g, of_key=of_key):
            return True
        return verify_es256(key, message, signature)

    return verify


def load_table(world: World, directory: str, x: bytes, y: bytes) -> bytes:
    """Return the table of this very point, b"" where there is none that counts. The coordinates may be hostile."""
    try:
        data, stat = world.open_read(_path(directory, x), max_bytes=_MAX_BYTES)
    except OSError:
        return b""
    mine = stat.uid == world.user_id() and not stat.others_may_write()
    head = _MAGIC + x + y
    if not mine or len(x) != 32 or len(data) != _MAX_BYTES or not data.startswith(head):
        return b""
    return data[len(head) :]


def keep_tables(world: World, directory: str, keys: Iterable[PublicKey]) -> None:
    """Make the tables of these keys and of G where they are missing, and delete all others. For a renewal.

    The keys are of a root document that was verified. A disk that refuses leaves launches slower, no more.
    """
    points = list(dict.fromkeys([_G, *((key.x, key.y) for key in keys)]))[:MAX_TABLES]
    folder = f"{directory}/{FOLDER}"
    try:
        world.make_directory(folder)
        for x, y in points:
            if not load_table(world, directory, x, y):
                from gatekeeper.trust.tables import make_table

                world.replace(_path(directory, x), _MAGIC + x + y + make_table(x, y))
        for name in set(world.listdir(folder)) - {_name(x) for x, _ in points}:
            world.remove(f"{folder}/{name}")
    except OSError:
        return


def _path(directory: str, x: bytes) -> str:
    return f"{directory}/{FOLDER}/{_name(x)}"


def _name(x: bytes) -> str:
    return f"{x.hex()}.p256"
