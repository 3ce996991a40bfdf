"""One renewer a profile, whoever asks: launches, detached renewals, `sync`, `login`, `logout`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.workstation.keeping import renewal_lock
from gatekeeper.workstation.state import unusable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatekeeper.workstation.world import World

PATIENT = 30.0


@contextmanager
def turn(world: World, directory: str, *, wait_for: float) -> Iterator[bool]:
    """Hold the profile's renewal lock, made with its folder. Gives False where another held it for `wait_for` seconds.

    Raises:
        GatekeeperError: GK106, the folder can't be made; GK701, the lock can't be taken.
    """
    try:
        world.make_directory(directory)
    except OSError as error:
        raise GatekeeperError(
            "GK106",
            f"{directory} can't be made: {error.strerror}.",
            remedy="make that directory writable, or set GATEKEEPER_STATE_DIR to one that is",
        ) from error
    path = renewal_lock(directory)
    try:
        descriptor = world.lock(path, wait_for=wait_for)
    except OSError as error:
        raise unusable(path, "locked", error) from error
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            world.unlock(descriptor)


@contextmanager
def own_turn(world: World, directory: str) -> Iterator[None]:
    """Hold the lock for a command that somebody typed and that must not be left out.

    Raises:
        GatekeeperError: GK106, another process holds it for half a minute; and as `turn`.
    """
    with turn(world, directory, wait_for=PATIENT) as ours:
        if not ours:
            raise GatekeeperError(
                "GK106",
                "Another gatekeeper process is busy with this profile.",
                remedy="try again in a minute",
            )
        yield
