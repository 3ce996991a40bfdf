"""Whose workstation this is: the credential and the device state, brought together before a renewal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.client.ci import missing_token
from gatekeeper.client.credentials import Credential
from gatekeeper.client.service_errors import ServiceRefused
from gatekeeper.client.session import find_credential, is_signed_in, key_of
from gatekeeper.codes import CODES
from gatekeeper.decision.obstacles import Refused
from gatekeeper.documents.api import Problem
from gatekeeper.errors import GatekeeperError
from gatekeeper.values import Absent, Value
from gatekeeper.workstation.keeping import remove_catalogue, remove_tokens, save_device
from gatekeeper.workstation.state import DeviceState, device_mark, load_device

if TYPE_CHECKING:
    from gatekeeper.workstation.settings import Settings
    from gatekeeper.workstation.world import World


class Owner(Value):
    """The person signed in here, and this device as the state has it: the two agree."""

    credential: Credential
    device: DeviceState


def find_owner(world: World, settings: Settings, directory: str, *, prompt_for: float) -> Owner | Refused:
    """Return who is signed in, or the refusal (GK201, GK204) that says nobody is. The folder must be there.

    A state that was deleted, or that an older sign-in left, is made anew from the credential: whoever has the
    device key is the device. One with another machine's mark is not: only signing in replaces that.

    Raises:
        KeyringSilent: no keyring answers, so it isn't known.
        GatekeeperError: GK701, GK106, the state can't be written.
    """
    kept = load_device(world, directory)
    mark = device_mark(world, directory)
    if not isinstance(kept, Absent) and kept.mark != mark:
        return Refused(code="GK204")
    try:
        credential = find_credential(world, settings, prompt_for=prompt_for)
    except ServiceRefused as refusal:
        # Only a CI job signs in here: whatever was renewed with an earlier token ends with this one.
        remove_tokens(world, directory, "")
        given = refusal.facts.get("problem")
        return Refused(code=refusal.code, problem=given if isinstance(given, Problem) else None)
    if credential is None or not is_signed_in(credential, settings):
        # Signed out for certain, and by nobody but this machine's owner: what was renewed before ends here.
        remove_tokens(world, directory, "")
        return Refused(code="GK201", problem=_without_token(world))
    try:
        jkt = key_of(credential.device_key_jwk).kid
    except GatekeeperError:
        return Refused(code="GK201")
    if not mark:
        raise GatekeeperError("GK106", f"{directory} can't be told from a copy of it.")
    device = DeviceState(
        mark=mark,
        issuer=settings.service,
        subject=credential.subject,
        name=credential.name,
        device=credential.device,
        jkt=jkt,
        device_name=credential.device_name,
    )
    if kept != device:
        remove_tokens(world, directory, "")
        remove_catalogue(world, directory)
        save_device(world, directory, device)
    return Owner(credential=credential, device=device)


def _without_token(world: World) -> Problem | None:
    """Say of a CI job that it has no token; of a workstation the code says enough."""
    missing = missing_token(world.environment())
    title = CODES["GK201"].title
    return Problem(code="GK201", status=0, title=title, detail=missing) if missing else None
