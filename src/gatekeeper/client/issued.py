"""A launch token just issued: what must hold before it enters the state, and under which names it stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.client.answers import unreadable
from gatekeeper.client.root import kept_root
from gatekeeper.documents.launch_token import CLIENT_ID, parse_launch_token
from gatekeeper.errors import TrustError
from gatekeeper.trust.chain import verify_launch_token
from gatekeeper.trust.library import verify_es256
from gatekeeper.trust.published import peek_kid
from gatekeeper.values import Absent
from gatekeeper.workstation.keeping import remove_tokens, save_token
from gatekeeper.workstation.state import TokenState, is_file_name, load_token, save_high_water

if TYPE_CHECKING:
    from gatekeeper.client.device import Owner
    from gatekeeper.documents.catalogue import Catalogue
    from gatekeeper.documents.launch_token import LaunchToken
    from gatekeeper.trust.chain import TrustedRoot
    from gatekeeper.workstation.settings import Settings
    from gatekeeper.workstation.world import World


def has_unknown_approval_key(token: bytes, root: TrustedRoot) -> bool:
    """Say whether a token names a key that the root document lacks, so that a newer one is worth asking for."""
    return peek_kid(token) not in {key.kid for key in root.approval.keys}


def checked_token(token: bytes, root: TrustedRoot, *, settings: Settings, owner: Owner) -> LaunchToken:
    """Return the claims of a hostile token that is for this person on this device and no older than its root allows.

    Raises:
        TrustError: GK501, its signature doesn't hold or it outlives the root document; GK502, it is for another
            issuer, reader, client, person, device or key.
    """
    verified = verify_launch_token(token, keys=root.approval, issuer=settings.service, verify=verify_es256)
    launch = parse_launch_token(verified)
    expected = (
        ("client_id", launch.client_id, CLIENT_ID),
        ("subject", launch.subject, owner.device.subject),
        ("device", launch.device, owner.device.device),
        ("device key", launch.jkt, owner.device.jkt),
    )
    for name, found, wanted in expected:
        if found != wanted:
            raise TrustError("GK502", f"The service issued a launch token for another {name}.")
    if launch.expires_at > root.expires_at:
        raise TrustError("GK501", "The service issued a launch token that outlives its root document.")
    return launch


def save_issued(
    world: World,
    directory: str,
    token: bytes,
    launch: LaunchToken,
    *,
    word: str,
    mark: str,
    catalogue: Catalogue | None,
) -> None:
    """Keep a checked token under the tool's id and executables, and set the high-water mark to its time, up or down.

    Raises:
        TrustError: GK502, it is for another tool than `word` names.
        ServiceUnreachable: GK602, `word` may be an executable's name and no catalogue says so.
        GatekeeperError: GK701, GK106, it can't be kept.
    """
    names = _names(launch.tool, catalogue)
    if word not in names:
        if catalogue is None:
            raise unreadable(launch.issuer, f"it gave no catalogue that says what {word} is")
        raise TrustError("GK502", f"The service issued a launch token for {launch.tool}, not for {word}.")
    kept = load_token(world, directory, launch.tool)
    if not isinstance(kept, Absent) and set(kept.executables) - set(names):
        remove_tokens(world, directory, launch.tool)  # a name that is another tool's now must not keep it
    state = TokenState(mark=mark, tool=launch.tool, executables=names[1:], token=token)
    save_token(world, directory, names, state)
    save_high_water(world, directory, launch.issued_at)


def held_token(world: World, settings: Settings, directory: str, word: str) -> LaunchToken | None:
    """Return the token kept under a word, verified, or None. Its age, and whose machine this is, are not judged."""
    kept = load_token(world, directory, word)
    root = kept_root(world, settings, directory)
    if isinstance(kept, Absent) or root is None:
        return None
    try:
        return parse_launch_token(
            verify_launch_token(
                kept.token, keys=root.root.approval, issuer=settings.service, verify=verify_es256
            )
        )
    except TrustError:
        return None


def _names(tool: str, catalogue: Catalogue | None) -> tuple[str, ...]:
    """Return the names that a tool's token stands under, its id first."""
    listed = catalogue.tool(tool) if catalogue is not None else None
    if catalogue is None or listed is None or listed.id != tool:
        return (tool,)
    # Where two tools claim a name, it is the catalogue's first.
    own = [name for name in listed.executables if is_file_name(name) and catalogue.tool(name) is listed]
    return tuple(dict.fromkeys((tool, *own)))
