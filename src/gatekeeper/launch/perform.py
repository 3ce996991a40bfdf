"""The effects of a launch that is decided, in the order that keeps them honest; the last one is the tool.

The latest time seen is kept, the verdict written, a renewal started that outlives us. If one of them fails the
tool isn't started, with one exception: a mark that can't be written doesn't stop a launch whose token is young,
since a full disk would otherwise stop all work at once.
"""

from __future__ import annotations

import sys

from gatekeeper.decision.freshness import clock_of, raised_high_water, renew_afterwards
from gatekeeper.errors import GatekeeperError
from gatekeeper.workstation.paths import profile_directory
from gatekeeper.workstation.state import save_high_water

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from gatekeeper.config.settings import Settings
    from gatekeeper.decision.facts import Allow, Facts
    from gatekeeper.decision.plan import LaunchPlan
    from gatekeeper.documents.verdict import Verdict
    from gatekeeper.launch.argv import Invocation
    from gatekeeper.workstation.world import World


def perform(
    world: World,
    settings: Settings,
    *,
    facts: Facts,
    allow: Allow,
    launch: LaunchPlan,
    invocation: Invocation,
) -> NoReturn:
    """Become the tool.

    Raises:
        GatekeeperError: GK701, the state can't be written and the token isn't young; GK106, the result file
            can't be written or the renewal not started; GK803, the system refused to start the tool.
    """
    _keep_time(world, settings, facts, allow)
    if invocation.result_file:
        from gatekeeper.decision.notice import verdict_of

        write_verdict(world, invocation.result_file, verdict_of(allow, facts, running=True))
    if renew_afterwards(facts) and not (settings.offline or invocation.offline):
        _start_renewal(world, settings.profile, allow.token.tool)
    try:
        world.execute(launch.path, launch.arguments, launch.environment)
    except OSError as error:
        raise GatekeeperError("GK803", f"{launch.path}: {error.strerror}.") from error


def write_verdict(world: World, path: str, verdict: Verdict) -> None:
    """Write the verdict where `--result-file` says. GatekeeperError GK106 where that can't be."""
    from gatekeeper.documents.verdict import render_verdict
    from gatekeeper.strict import render_json

    try:
        # Replacing would turn /dev/null or a pipe into a plain file, and a link into what it pointed to.
        if _stands_there(world, path):
            path = world.realpath(path)
        world.replace(path, render_json(render_verdict(verdict)) + b"\n")
    except OSError as error:
        raise GatekeeperError(
            "GK106",
            f"The result file {path} can't be written: {error.strerror}.",
            remedy="name a file in a directory that can be written",
        ) from error


def _stands_there(world: World, path: str) -> bool:
    try:
        stat = world.stat(path)
    except FileNotFoundError:
        return False
    if not stat.is_regular():
        raise OSError(22, "it is not a regular file")
    return True


def _keep_time(world: World, settings: Settings, facts: Facts, allow: Allow) -> None:
    mark = raised_high_water(facts)
    if mark is None:
        return
    try:
        save_high_water(world, profile_directory(settings.state_directory, settings.profile), mark)
    except GatekeeperError:
        if clock_of(facts).at - allow.token.issued_at >= allow.token.fresh_for:
            raise


def _start_renewal(world: World, profile: str, tool: str) -> None:
    try:
        world.detach((sys.executable, "-P", "-m", "gatekeeper", "renew", "--profile", profile, tool))
    except OSError as error:
        raise GatekeeperError(
            "GK106",
            f"The renewal could not be started: {error.strerror}.",
            remedy="end some processes and try again",
        ) from error
