"""`gatekeeper logout`: give the credential back, and forget what this workstation keeps of it."""

from __future__ import annotations

import sys

import typer

from gatekeeper.cli.formats.text import TICK, say, waiting
from gatekeeper.cli.here import Here
from gatekeeper.cli.options import Json

EXAMPLES = ("gatekeeper logout", "gatekeeper logout --profile work")


def logout(ctx: typer.Context, *, as_json: Json = False) -> int:
    """Sign out: the refresh token is revoked, and device key, launch tokens and catalogue are forgotten. Works without the service, too."""
    here: Here = ctx.obj.here()
    here.require_service()
    with waiting(f"Signing out of {here.settings.service}"):
        signed_out = here.calls.sign_out()
    here.forget_held()
    if as_json:
        from gatekeeper.cli.formats.json import print_json

        print_json(
            {
                "signed_in": False,
                "service": here.settings.service,
                "profile": here.settings.profile,
                "revoked": signed_out.revoked,
            }
        )
    else:
        say(
            f"{TICK} Signed out of {here.settings.service}. Nothing is launched from here until you sign in again."
        )
    if not signed_out.revoked:
        say(f"The service was not told: {signed_out.why}", sys.stderr)
    return 0
