"""One reader and one writer for every file of the state: JSON with a schema, of this account, replaced atomically.

All state is input: a record that is torn, too big, of another schema or of another owner is `Absent` with a
reason, and reading never raises for what a file holds. Which members a record has is for `state`.
"""

from __future__ import annotations

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import parse_object, render_json
from gatekeeper.values import Absent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatekeeper.workstation.world import World

SCHEMA = 1
NOT_THERE = "not there"


def load_record(world: World, path: str, *, max_bytes: int) -> dict[str, object] | Absent:
    """Return the members of a hostile file, or why it counts as absent."""
    try:
        data, stat = world.open_read(path, max_bytes=max_bytes)
        mine = stat.uid == world.user_id()
    except FileNotFoundError:
        return Absent(reason=NOT_THERE)
    except OSError as error:
        return damaged(path, error.strerror or "it can't be read")
    # Judged on the open descriptor: what another account may write says nothing about this one.
    if not mine:
        return damaged(path, "it belongs to another account")
    if stat.others_may_write():
        return damaged(path, "other accounts may write it")
    try:
        members = parse_object(data, max_bytes=max_bytes)
    except Malformed as error:
        return damaged(path, error.reason)
    if members.get("schema") != SCHEMA or members["schema"] is True:
        return damaged(path, "it has another schema")
    return members


def damaged(path: str, reason: str) -> Absent:
    """Say that a file is there and can't be used."""
    return Absent(reason=f"{path}: {reason}", code="GK701")


def save_record(world: World, directory: str, name: str, members: Mapping[str, object]) -> None:
    """Write a record, making its directory. GatekeeperError GK701 for the file, GK106 for the directory."""
    try:
        world.make_directory(directory)
    except OSError as error:
        raise GatekeeperError(
            "GK106",
            f"{directory} can't be made: {error.strerror}.",
            remedy="make that directory writable, or set GATEKEEPER_STATE_DIR to one that is",
        ) from error
    path = f"{directory}/{name}"
    try:
        world.replace(path, render_json({"schema": SCHEMA, **members}) + b"\n")
    except OSError as error:
        raise unusable(path, "written", error) from error


def remove_record(world: World, path: str) -> None:
    """Delete a record; one that is absent is no error. GatekeeperError GK701."""
    try:
        world.remove(path)
    except OSError as error:
        raise unusable(path, "deleted", error) from error


def unusable(path: str, act: str, error: OSError) -> GatekeeperError:
    """Say that the disk refused: `act` is a participle."""
    return GatekeeperError(
        "GK701",
        f"{path} can't be {act}: {error.strerror}.",
        remedy="free or repair that disk, or set GATEKEEPER_STATE_DIR to a directory that can be written",
    )
