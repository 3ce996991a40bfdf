"""The help of `gatekeeper run`. The command itself is read and carried out in `launch`, without Typer."""

from __future__ import annotations

from typing import Annotated

import typer

from gatekeeper.cli.options import Offline, Wait, WaitTimeout
from gatekeeper.errors import GatekeeperError

EXAMPLES = (
    "gatekeeper run claude",
    "gatekeeper run claude --version          everything after TOOL is the tool's",
    "gatekeeper run --wait claude             wait for the approver's answer, then start",
    "gatekeeper run --offline claude -- -p hi",
)


def run(
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="Id or executable name.", show_default=False)],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGS]...", help="The tool's own, passed on as they are.")
    ] = None,
    *,
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="TEXT",
            help="Send a request with this reason where none was made (GK301) or the approval ended (GK308).",
        ),
    ] = "",
    wait: Wait = False,
    wait_timeout: WaitTimeout = "30m",
    offline: Offline = False,
    break_glass: Annotated[
        bool,
        typer.Option(
            "--break-glass", help="An emergency grant needs your own step-up: take it in the console."
        ),
    ] = False,
    result_file: Annotated[
        str,
        typer.Option(
            "--result-file", metavar="FILE", help="Write the verdict there, as JSON, before the launch."
        ),
    ] = "",
) -> int:
    """Start TOOL, if it is approved for you here. Exits with the tool's own status; 126 refused or pending, 127 not installed, 125 couldn't decide."""
    del tool, arguments, reason, wait, wait_timeout, offline, break_glass, result_file
    raise GatekeeperError(
        "GK100", "run takes only --profile and --no-input before it.", remedy="gatekeeper run --help"
    )
