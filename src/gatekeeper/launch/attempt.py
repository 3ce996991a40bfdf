"""The story of one launch, top to bottom: gather, decide, plan, perform.

An attempt has no network, no prompt and no lock. What it can't do without those it names (`NotWarm`), and the
cold half (`cli.run`) does that and attempts again. Only an `Allow` is performed, and that does not return;
whatever fails before ends as a decision or an error, and nothing is launched.

What is kept here is hostile until proven: the chain of root documents is verified to the configured pins and
the token to the chain on every launch. Whatever can't be used is `Absent` with its reason; whether that matters
is for `decision`.
"""

from gatekeeper.decision.decide import (
    decide,
    ends_soon,
    is_reminder_due,
    plan,
    raised_high_water,
    recognise,
    renew_afterwards,
    renewal_needed,
    time_of,
)
from gatekeeper.decision.facts import (
    FOREIGN,
    NONE,
    OWN,
    Absent,
    Allow,
    Executable,
    Facts,
    NotTried,
    Recognised,
    is_for_everywhere,
)
from gatekeeper.documents.launch_token import parse_launch_token
from gatekeeper.errors import GatekeeperError, TrustError
from gatekeeper.launch.find import examine, find, own_of
from gatekeeper.trust.chain import verify_chain, verify_launch_token
from gatekeeper.values import Value
from gatekeeper.workstation.settings import Settings, kept_settings
from gatekeeper.workstation.state import (
    DeviceState,
    TokenState,
    device_mark,
    digest_of,
    load_chain,
    load_device,
    load_digests,
    load_high_water,
    load_reminded,
    load_token,
    profile_directory,
    save_high_water,
    shims_directory,
    verifier_by_tables,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from gatekeeper.decision.obstacles import (
        AnyDecision,
        Loop,
        Match,
        NotInstalled,
        Renewal,
    )
    from gatekeeper.documents.launch_token import Exclusion, LaunchToken
    from gatekeeper.launch.argv import Invocation
    from gatekeeper.launch.stopped import Decided, NotWarm
    from gatekeeper.trust.chain import TrustedRoot, Verify
    from gatekeeper.workstation.world import Stat, World

    Announce = Callable[[Allow, Facts], None]

# Why an attempt isn't warm, beside the reasons of `decide.renewal_needed`.
CONFIGURATION = "configuration"
LIBRARY = "library"
DIGEST = "digest"

OWN_VERIFIER = "own"


class Holding(Value):
    """What a profile's folder holds, as far as it is proven. `state` is one of `facts.OWN`, `FOREIGN`, `NONE`."""

    directory: str
    mark: str
    device: "DeviceState | Absent"
    state: str
    root: "TrustedRoot | Absent"
    high_water: "int | None"


def attempt(
    world: "World",
    invocation: "Invocation",
    *,
    renewal: "Renewal | None" = None,
    settings: "Settings | None" = None,
    verify: "Verify | None" = None,
    announce: "Announce | None" = None,
) -> "NotWarm | Decided":
    """Launch, or say what stands in the way. Never returns on a launch.

    `verify` None is gatekeeper's own P-256, unless the settings ask for the library's (`NotWarm(LIBRARY)`).
    `announce` is called before a launch whose token should have been renewed and could not be.

    Raises:
        GatekeeperError: something that every launch needs is unusable; nothing was launched.
    """
    try:
        return _attempt(
            world,
            invocation,
            renewal=NotTried() if renewal is None else renewal,
            settings=settings,
            verify=verify,
            announce=announce,
        )
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise GatekeeperError(
            "GK106", f"{where}{error.strerror or error}.", remedy="gatekeeper config path"
        ) from error


def _attempt(
    world: "World",
    invocation: "Invocation",
    *,
    renewal: "Renewal",
    settings: "Settings | None",
    verify: "Verify | None",
    announce: "Announce | None",
) -> "NotWarm | Decided":
    if settings is None:
        read = kept_settings(world, profile=invocation.profile)
        if read is None:
            from gatekeeper.config.merge import merge_settings

            read = merge_settings(world, profile=invocation.profile)
        if isinstance(read, Absent):
            return _not_warm(CONFIGURATION)
        settings = read
    if verify is None:
        if settings.verifier != OWN_VERIFIER:
            return _not_warm(LIBRARY, settings)
        verify = _own_verifier(world, settings)
    judged = judge(world, invocation, settings, renewal, verify)
    if not isinstance(judged, tuple):
        return judged
    decision, facts = judged
    if isinstance(decision, Allow):
        if decision.unreachable is not None and announce is not None:
            announce(decision, facts)
        _perform(world, settings, facts=facts, allow=decision, invocation=invocation)
    from gatekeeper.launch.stopped import Decided

    return Decided(decision=decision, facts=facts, settings=settings)


def _not_warm(reason: str, settings: "Settings | None" = None, facts: "Facts | None" = None) -> "NotWarm":
    from gatekeeper.launch.stopped import NotWarm

    return NotWarm(reason=reason, settings=settings, facts=facts)


def _own_verifier(world: "World", settings: "Settings") -> "Verify":
    # Under managed pins nothing that the person can write may say what holds: `workstation.state`.
    if settings.managed:
        from gatekeeper.trust.p256_plain import verify_es256

        return verify_es256
    return verifier_by_tables(world, profile_directory(settings.state_directory, settings.profile))


def judge(
    world: "World", invocation: "Invocation", settings: "Settings", renewal: "Renewal", verify: "Verify"
) -> "NotWarm | tuple[AnyDecision, Facts]":
    """Decide without launching, and without writing anything. Errors as `attempt`; OSError passes through."""
    facts = gather(world, invocation, settings, renewal, verify)
    reason = renewal_needed(facts)
    if reason:
        return _not_warm(reason, settings, facts)
    if facts.match is not None and not isinstance(facts.match, Recognised):
        from gatekeeper.decision.obstacles import DigestNeeded

        if isinstance(facts.match, DigestNeeded):
            return _not_warm(DIGEST, settings, facts)
    return decide(facts), facts


# Gather


def gather(
    world: "World", invocation: "Invocation", settings: "Settings", renewal: "Renewal", verify: "Verify"
) -> "Facts":
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


def look(world: "World", settings: "Settings", *, verify: "Verify") -> "Holding":
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


def trusted_root(
    world: "World", directory: str, *, settings: "Settings", verify: "Verify"
) -> "TrustedRoot | Absent":
    """Return the newest root document that the pins of the configuration prove, whether expired or not.

    Raises:
        GatekeeperError: GK104, no root key is pinned: a service is never trusted on first use.
    """
    if not settings.trust_roots:
        raise GatekeeperError("GK104", "trust_roots names no root key, so no service can be trusted.")
    kept = load_chain(world, directory)
    if isinstance(kept, Absent):
        return kept
    try:
        # Against today's pins, not those that the state says it grew from: only the configuration counts.
        return verify_chain(
            kept,
            pins=settings.trust_roots,
            pin_threshold=settings.trust_threshold,
            issuer=settings.service,
            min_version=settings.min_root_version,
            verify=verify,
        )
    except TrustError as error:
        return Absent(reason=error.detail, code=error.code)


def held_token(
    kept: "TokenState | Absent", held: "Holding", settings: "Settings", *, verify: "Verify"
) -> "LaunchToken | Absent":
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
    world: "World", invocation: "Invocation", kept: "TokenState | Absent", digest: "Callable[[Stat], str]"
) -> "Executable | NotInstalled | Loop":
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


def _digests_of(world: "World", directory: str, token: "LaunchToken | Absent") -> "Callable[[Stat], str]":
    """Return how a digest is looked up. The cache is read only for a token that lists digests."""

    def look_up(stat: "Stat") -> str:
        if isinstance(token, Absent) or not any(one.sha256 for one in token.identities):
            return ""
        return digest_of(load_digests(world, directory), stat)

    return look_up


def _excluded(world: "World", token: "LaunchToken") -> "Exclusion | None":
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


# Perform


def _perform(
    world: "World",
    settings: "Settings",
    *,
    facts: "Facts",
    allow: "Allow",
    invocation: "Invocation",
) -> "NoReturn":
    """Have the effects of a launch that is decided, in the order that keeps them honest; the last one is the tool.

    The latest time seen is kept, the verdict written, a renewal started that outlives us. If one of them fails the
    tool isn't started, with one exception: a mark that can't be written doesn't stop a launch whose token is young,
    since a full disk would otherwise stop all work at once.

    Raises:
        GatekeeperError: GK701, the state can't be written and the token isn't young; GK106, the result file
            can't be written or the renewal not started; GK803, the system refused to start the tool.
    """
    _keep_time(world, settings, facts, allow)
    if invocation.result_file:
        from gatekeeper.decision.notice import verdict_of
        from gatekeeper.launch.aside import write_verdict

        write_verdict(world, invocation.result_file, verdict_of(allow, facts, running=True))
    if ends_soon(facts):
        directory = profile_directory(settings.state_directory, settings.profile)
        if is_reminder_due(load_reminded(world, directory, allow.token.tool), now=facts.now):
            from gatekeeper.launch.aside import remind

            remind(world, directory, allow.token, now=facts.now)
    if renew_afterwards(facts) and not (settings.offline or invocation.offline):
        from gatekeeper.launch.aside import start_renewal

        start_renewal(world, settings.profile, allow.token.tool)
    path, arguments, environment = plan(
        allow, arguments=invocation.arguments, environment=world.environment()
    )
    try:
        world.execute(path, arguments, environment)
    except OSError as error:
        raise GatekeeperError("GK803", f"{path}: {error.strerror}.") from error


def _keep_time(world: "World", settings: "Settings", facts: "Facts", allow: "Allow") -> None:
    mark = raised_high_water(facts)
    if mark is None:
        return
    try:
        save_high_water(world, profile_directory(settings.state_directory, settings.profile), mark)
    except GatekeeperError:
        if time_of(facts) - allow.token.issued_at >= allow.token.fresh_for:
            raise
