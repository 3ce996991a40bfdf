"""Make and delete the tables of the keys that launches verify with. For a renewal; whose tables count is in `state`."""

from __future__ import annotations

from gatekeeper.trust.tables import make_table
from gatekeeper.workstation.state import TABLE_HEAD, TABLES, G, table_of, table_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatekeeper.trust.chain import PublicKey
    from gatekeeper.workstation.world import World

MAX_TABLES = 8  # of 832 KB each; under a root document with more keys, launches are a little slower


def keep_tables(world: World, directory: str, keys: Iterable[PublicKey]) -> None:
    """Make the tables of these keys and of G where they are missing, and delete all others.

    The keys are of a root document that was verified. A disk that refuses leaves launches slower, no more.
    """
    points = list(dict.fromkeys([G, *((key.x, key.y) for key in keys)]))[:MAX_TABLES]
    paths = [table_path(directory, x) for x, _ in points]
    folder = f"{directory}/{TABLES}"
    try:
        world.make_directory(folder)
        for path, (x, y) in zip(paths, points, strict=True):
            if not table_of(world, directory, x, y)([0]):
                world.replace(path, TABLE_HEAD + x + y + make_table(x, y))
        for name in world.listdir(folder):
            if f"{folder}/{name}" not in paths:
                world.remove(f"{folder}/{name}")
    except OSError:
        return
