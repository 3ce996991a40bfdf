"""What some launches do beside starting the tool: write the verdict, remind of an end, start a renewal.

The order of effects, and what follows from a failure, is `attempt`'s.
"""

from __future__ import annotations

import sys

from gatekeeper.errors import GatekeeperError
from gatekeeper.strict import render_json
from gatekeeper.workstation.state import save_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.documents.launch_token import LaunchToken
    from gatekeeper.documents.verdict import Verdict
    from gatekeeper.workstation.world import World


def write_verdict(world: World, path: str, verdict: Verdict) -> None:
    """Write the verdict where `--result-file` says. GatekeeperError GK106 where that can't be."""
    from gatekeeper.documents.verdict import render_verdict

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


def remind(world: World, directory: str, token: LaunchToken, *, now: int) -> None:
    """Say on stderr that an approval ends soon, and keep that it was said. Nothing that fails here stops a launch.

    Where the note of having said it can't be kept (a full disk) it isn't said either: rather silence than a line with
    every command.
    """
    if token.grant_ends is None:
        return
    # Once a day; a renewal is started far more often, and needn't load the words.
    from time import localtime, strftime

    from gatekeeper.decision.notice import render_span

    ends = strftime("%Y-%m-%d", localtime(token.grant_ends))
    left = render_span(max(token.grant_ends - now, 0))
    try:
        save_record(world, f"{directory}/reminded", f"{token.tool}.json", {"at": now})
        world.write_error(
            f"gatekeeper: your approval of {token.tool} ends in {left} ({ends}). "
            f"To go on: gatekeeper request {token.tool} --renew\n"
        )
    except (GatekeeperError, OSError):
        return


def start_renewal(world: World, profile: str, tool: str) -> None:
    """Start a renewal that outlives the launch. GatekeeperError GK106 where no process can be started."""
    try:
        world.detach((sys.executable, "-P", "-m", "gatekeeper", "renew", "--profile", profile, tool))
    except OSError as error:
        raise GatekeeperError(
            "GK106",
            f"The renewal could not be started: {error.strerror}.",
            remedy="end some processes and try again",
        ) from error
