"""The options that several commands share, once: names, help and types."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Offline = Annotated[bool, typer.Option("--offline", help="Make no call: use what this workstation holds.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Wait for the approver's answer. Ctrl-C keeps the request.")
]
WaitTimeout = Annotated[
    str, typer.Option("--wait-timeout", metavar="TIME", help="How long to wait at most.", show_default=True)
]
