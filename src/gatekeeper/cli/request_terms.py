"""The terms of a tool on the terminal: shown, and accepted by whoever reads them. This device signs it."""

from __future__ import annotations

import sys

import typer

from gatekeeper.cli.formats.text import TICK, say, waiting
from gatekeeper.cli.here import Here
from gatekeeper.decision.notice import quote


def settle_terms(here: Here, tool: str, *, accepted: bool, quiet: bool) -> bool:
    """Accept the terms where that was said (`accepted`), or ask on a terminal; return whether they are accepted now.

    `quiet` keeps stdout for the result. Raises what the service's calls raise.
    """
    with waiting(f"Asking {here.settings.service} for the terms of {tool}"):
        terms = here.calls.terms(tool)
    if terms.accepted:
        return True
    if not accepted:
        if not here.may_ask():
            say(
                f"gatekeeper: {tool} has terms that are not accepted yet. "
                f"Read and accept them: gatekeeper request {quote(tool)} --accept-terms",
                sys.stderr,
            )
            return False
        say(f"Terms of {tool}, version {terms.version}:\n", sys.stderr)
        say(terms.text.rstrip(), sys.stderr)
        if not typer.confirm("\nAccept these terms?", err=True, default=False):
            say("gatekeeper: not accepted. The tool is not started before they are.", sys.stderr)
            return False
    elif not quiet:
        say(f"Terms of {tool}, version {terms.version}:\n", sys.stderr)
        say(terms.text.rstrip(), sys.stderr)
    with waiting("Signing the acceptance"):
        here.calls.accept_terms(terms)
    say(f"{TICK} The terms of {tool} (version {terms.version}) are accepted.", sys.stderr)
    return True
