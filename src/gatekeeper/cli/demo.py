"""`gatekeeper demo`: the whole story on this machine in a minute, in a directory of its own.

Every step is the real command in a process of its own, with its real output, against a real service on
loopback; what it should exit with is checked, so a demo that ends well has shown something. It takes whichever
tool of the built-in catalogue is installed, else the demonstration tool that ships with gatekeeper
(`demonstration/demo-assistant`). Nothing of the person's own configuration, sign-in or state is read or
written. Which process runs where is for `demo_stage`.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gatekeeper.cli.demo_stage import DEMONSTRATION_TOOL, Stage, installed_tool, refuse_on_managed
from gatekeeper.cli.formats.text import look_of, paint, say, write

EXAMPLES = ("gatekeeper demo", "gatekeeper demo --keep")

_ADA, _SAM = "ada@acme.example", "sam@acme.example"
_REASON = "Migrating the build scripts of the payment service"


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the service running, and say how to go on.")
    ] = False,
) -> int:
    """Tell the whole story here, in a minute: service, sign-in, refusal, request, approval, launch, revocation. Leaves nothing behind."""
    refuse_on_managed()
    with Stage(keep=keep) as stage:
        tool = installed_tool(stage.path) or DEMONSTRATION_TOOL
        say(f"Everything here happens in {stage.place}, with the tool {tool}.")
        if tool == DEMONSTRATION_TOOL:
            say(
                "(No assistant that gatekeeper knows is installed, so its demonstration tool stands in for one.)"
            )
        _tell(stage, tool)
        if keep:
            _how_to_go_on(stage, tool)
        else:
            say("")
            say("That was all of it. The service is stopped and its directory removed.")
    return 0


def _tell(stage: Stage, tool: str) -> None:
    _heading(
        "The operator makes a service: keys, database, policy. These two lines are all that IT ships: they pin its root key."
    )
    stage.operate("init", "--issuer", stage.issuer, *stage.policy_options(tool), configures=True)
    stage.start_service()

    _heading("The operator invites Ada; her one-time code signs in and enrols this device.")
    code = stage.operate("invite", _ADA, "--group", "dev", find=r"\b[A-Z0-9]{4}(?:-[A-Z0-9]{4}){3}\b")
    stage.gatekeeper("login", "--code", code)

    _heading(f"Ada starts {tool}. Nobody approved it, so it isn't started.")
    stage.gatekeeper("run", tool, "--", "--version", expect=126)

    _heading("She asks. Asking twice is asking once, and until somebody answers it stays shut.")
    ask = ("request", tool, "--reason", _REASON, "--for", "30d")
    request = stage.gatekeeper(*ask, find=r"\bR-\d+\b")
    stage.gatekeeper(*ask)
    stage.gatekeeper("run", tool, "--", "--version", expect=126)

    _heading("Sam decides. Nobody approves their own.")
    stage.operate("review", "approve", request, "--as", _ADA, expect=3)
    grant = stage.operate("review", "approve", request, "--as", _SAM, find=r"\bG-\d+\b")

    _heading(f"Now gatekeeper becomes {tool}: same process, same terminal, stdout is the tool's alone.")
    stage.gatekeeper("run", tool, "--", "--version")
    stage.gatekeeper("status")

    _heading("The service stops. A token that is fresh launches without any call.")
    stage.stop_service()
    stage.gatekeeper("run", tool, "--version")
    stage.start_service()

    _heading("Sam revokes. It takes effect at the next renewal, which `sync` brings forward.")
    why = "The migration is finished"
    stage.operate("review", "revoke", grant, "--as", _SAM, "--reason", why)
    stage.gatekeeper("sync", expect=None)
    stage.gatekeeper("run", tool, "--", "--version", expect=126)
    stage.gatekeeper("status")


def _heading(text: str) -> None:
    look = look_of(sys.stdout)
    write(sys.stdout, "\n")
    write(sys.stdout, f"{paint(text, 'bold', look)}\n")


def _how_to_go_on(stage: Stage, tool: str) -> None:
    _heading("The service is still running. To go on as Ada, in this shell:")
    for name, value in stage.settings().items():
        say(f"  export {name}={value}")
    say("  gatekeeper status")
    say(f'  gatekeeper request {tool} --reason "{_REASON}"')
    say(f"  gatekeeper service review list --data {stage.data}")
    say(f"  gatekeeper service review approve R-2 --as {_SAM} --data {stage.data}")
    say("To end it:")
    say(f"  kill {stage.service_pid}; rm -r {stage.place}")
