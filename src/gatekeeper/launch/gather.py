"""From the workstation to `Facts`: reads, verifies, compares. Writes nothing and decides nothing.

What is kept here is hostile until proven: the chain of root documents is verified to the configured pins and
the token to the chain on every launch. Whatever can't be used is `Absent` with its reason; whether that matters
is for `decision`.
"""

from __future__ import annotations

from gatekeeper.decision.facts import (
    FOREIGN,
    NONE,
    OWN,
    Absent,
    Executable,
    Facts,
    Loop,
    NotInstalled,
    is_for_everywhere,
)
from gatekeeper.decision.identity import recognise
from gatekeeper.documents.launch_token import parse_launch_token
from gatekeeper.errors import GatekeeperError, TrustError
from gatekeeper.launch.find import find, own_of
from gatekeeper.launch.recognise import examine
from gatekeeper.trust.jws import verify_launch_token
from gatekeeper.trust.root import verify_chain
from gatekeeper.values import Value
from gatekeeper.workstation.paths import profile_directory, shims_directory
from gatekeeper.workstation.state import (
    DeviceState,
    TokenState,
    device_mark,
    digest_of,
    load_device,
    load_digests,
    load_high_water,
    load_root,
    load_token,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gatekeeper.config.settings import Settings
    from gatekeeper.decision.facts import Match, Renewal
    from gatekeeper.documents.launch_token import Exclusion, LaunchToken
    from gatekeeper.launch.argv import Invocation
    from gatekeeper.trust.jws import Verify
    from gatekeeper.trust.root import TrustedRoot
    from gatekeeper.workstation.world import Stat, World


class Holding(Value):
    """What a profile's folder holds, as far as it is proven. `state` is one of `facts.OWN`, `FOREIGN`, `NONE`."""

    directory: str
    mark: str
    device: DeviceState | Absent
    state: str
    root: TrustedRoot | Absent
    high_water: int | None


def gather(
    world: World, invocation: Invocation, settings: Settings, renewal: Renewal, verify: Verify
) -> Facts:
    """Collect everything about one launch.

    Raises:
        GatekeeperError: GK104, no root key is pinned; GK101, no service is configured; GK106, no home.
        OSError: the disk failed where no file may be missing.
    """
    now = world.now()
    held = look(world, settings, verify=verify)
    kept = load_token(world, held.directory, invocation.tool)
    token = held_token(kept, held, settings, verify=verify)
    executable = _find_executable(world, invocation, kept, _digests_of(world, held.directory, token))
    match: Match | None = None
    exclusion: Exclusion | None = None
    if not isinstance(token, Absent):
        exclusion = _excluded(world, token)
        if isinstance(executable, Executable):
            match = recognise(executable, token.identities)
    signed = [document.issued_at for document in (held.root, token) if not isinstance(document, Absent)]
    return Facts(
        word=invocation.tool,
        now=now,
        high_water=held.high_water,
        newest_signed_at=max(signed, default=0),
        state=held.state,
        root=held.root,
        token=token,
        executable=executable,
        match=match,
        exclusion=exclusion,
        renewal=renewal,
    )


def look(world: World, settings: Settings, *, verify: Verify) -> Holding:
    """Return whose folder the profile's is, and the trusted root. Errors as `gather`."""
    if not settings.service:
        raise GatekeeperError(
            "GK101",
            "No service is configured.",
            remedy="set service in the file that gatekeeper config path names",
        )
    directory = profile_directory(settings.state_directory, settings.profile)
    mark = device_mark(world, directory)
    device = load_device(world, directory)
    if isinstance(device, Absent) or device.issuer != settings.service:
        state = NONE
    else:
        state = OWN if mark and device.mark == mark else FOREIGN
    return Holding(
        directory=directory,
        mark=mark,
        device=device,
        state=state,
        root=trusted_root(world, directory, settings=settings, verify=verify),
        high_water=load_high_water(world, directory),
    )


def trusted_root(world: World, directory: str, *, settings: Settings, verify: Verify) -> TrustedRoot | Absent:
    """Return the newest root document that the pins of the configuration prove, whether expired or not.

    Raises:
        GatekeeperError: GK104, no root key is pinned: a service is never trusted on first use.
    """
    if not settings.trust_roots:
        raise GatekeeperError("GK104", "trust_roots names no root key, so no service can be trusted.")
    kept = load_root(world, directory)
    if isinstance(kept, Absent):
        return kept
    try:
        # Against today's pins, not those that the state says it grew from: only the configuration counts.
        return verify_chain(
            kept.documents,
            pins=settings.trust_roots,
            pin_threshold=settings.trust_threshold,
            issuer=settings.service,
            min_version=settings.min_root_version,
            verify=verify,
        )
    except TrustError as error:
        return Absent(reason=error.detail, code=error.code)


def held_token(
    kept: TokenState | Absent, held: Holding, settings: Settings, *, verify: Verify
) -> LaunchToken | Absent:
    """Prove a token of the state: signature, issuer, audience, this device's key and mark. Its age is not judged."""
    if isinstance(kept, Absent):
        return kept
    if isinstance(held.device, Absent) or held.state == NONE:
        return Absent(reason="nobody is signed in here")
    if held.state == FOREIGN or kept.mark != held.mark:
        return Absent(reason="the launch token was kept on another machine", code="GK204")
    # Without the latest time seen, nothing says that the clock wasn't turned back: renew before trusting it.
    if held.high_water is None:
        return Absent(reason="the latest time seen here is not known")
    if isinstance(held.root, Absent):
        return Absent(reason="no root document can be trusted")
    try:
        token = parse_launch_token(
            verify_launch_token(kept.token, keys=held.root.approval, issuer=settings.service, verify=verify)
        )
    except TrustError as error:
        return Absent(reason=error.detail, code=error.code)
    if token.jkt != held.device.jkt:
        return Absent(reason="the launch token is bound to another device's key", code="GK502")
    if token.tool != kept.tool:
        return Absent(reason="the launch token is for another tool", code="GK502")
    return token


def _find_executable(
    world: World, invocation: Invocation, kept: TokenState | Absent, digest: Callable[[Stat], str]
) -> Executable | NotInstalled | Loop:
    names: tuple[str, ...] = (invocation.tool,)
    # An id stands for any of the tool's executables; the name of one of them for that one alone.
    if isinstance(kept, TokenState) and kept.tool == invocation.tool and kept.executables:
        names = kept.executables
    environment = world.environment()
    own_paths = [shims_directory(environment, world.home())]
    if invocation.program:
        own_paths.append(invocation.program)
    found = find(world, names, path=environment.get("PATH", ""), own=own_of(world, *own_paths))
    if not isinstance(found, str):
        return found
    return examine(world, found, digest_of=digest)


def _digests_of(world: World, directory: str, token: LaunchToken | Absent) -> Callable[[Stat], str]:
    """Return how a digest is looked up. The cache is read only for a token that lists digests."""

    def look_up(stat: Stat) -> str:
        if isinstance(token, Absent) or not any(one.sha256 for one in token.identities):
            return ""
        return digest_of(load_digests(world, directory), stat)

    return look_up


def _excluded(world: World, token: LaunchToken) -> Exclusion | None:
    try:
        here = world.working_directory()
    except OSError as error:
        raise GatekeeperError(
            "GK106",
            f"The working directory can't be used: {error.strerror}.",
            remedy="cd to a directory that exists",
        ) from error
    if is_for_everywhere(token):
        return None
    # Reading git's files takes as many modules as all the rest, so they are loaded where a token asks for them.
    from gatekeeper.decision.locations import exclusion_for
    from gatekeeper.launch.repository import locate

    location = locate(world, here, home=world.home(), environment=world.environment())
    return exclusion_for(location, locations=token.locations, exclude=token.exclude)
