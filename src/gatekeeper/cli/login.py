"""`gatekeeper login`: make the device key and enrol this device, by a browser or a one-time code."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from gatekeeper.cli.formats.text import TICK, say, waiting
from gatekeeper.cli.here import Here
from gatekeeper.cli.options import Json
from gatekeeper.errors import GatekeeperError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.client.credentials import Stored
    from gatekeeper.client.signin import SignedIn

EXAMPLES = (
    "gatekeeper login",
    "gatekeeper login --code K7QF-M2XD-9HTR-4WPN",
    "gatekeeper login --code K7QF-M2XD-9HTR-4WPN --device-name ada-laptop",
)
MAX_DEVICE_NAME = 64


def login(
    ctx: typer.Context,
    *,
    code: Annotated[
        str, typer.Option("--code", metavar="CODE", help="The one-time code that an operator gave you.")
    ] = "",
    oidc: Annotated[
        bool, typer.Option("--oidc", help="Sign in with a browser, at the organisation's sign-in page.")
    ] = False,
    device: Annotated[
        bool,
        typer.Option(
            "--device", help="Confirm a short code in a browser elsewhere, where the organisation allows it."
        ),
    ] = False,
    device_name: Annotated[
        str,
        typer.Option("--device-name", metavar="NAME", help="What this device is called; else its host name."),
    ] = "",
    as_json: Json = False,
) -> int:
    """Sign in with a browser or a one-time code, and enrol this device. Says where the credential is kept.

    Where the organisation has an identity provider, a browser opens; over SSH its address is shown, and the code
    that it ends with is pasted. Without an option, a sign-in that is kept here is used again: after a state directory was copied, moved or
    damaged.
    """
    here: Here = ctx.obj.here()
    here.require_service()
    signed_in = None
    if sum((bool(code), oidc, device)) > 1:
        raise GatekeeperError("GK100", "--code, --oidc and --device exclude each other.")
    if not (code or oidc or device):
        with waiting(f"Looking for a sign-in with {here.settings.service}"):
            signed_in = here.calls.sign_in_again()
    if signed_in is None:
        signed_in = _sign_in(here, code, oidc=oidc, device=device, device_name=device_name)
    here.forget_held()
    if signed_in.catalogue_missing:
        say(f"The catalogue could not be had yet: {signed_in.catalogue_missing}", sys.stderr)
    if as_json:
        from gatekeeper.cli.formats.json import print_json

        print_json(
            {
                "subject": signed_in.name,
                "device": signed_in.device,
                "device_name": signed_in.device_name,
                "service": here.settings.service,
                "credential": signed_in.stored.where if signed_in.stored is not None else None,
                "credential_why": (signed_in.stored.why or None) if signed_in.stored is not None else None,
            }
        )
        return 0
    say(
        f"{TICK} Signed in as {signed_in.name} on {signed_in.device_name} ({signed_in.device}), with {here.settings.service}."
    )
    if signed_in.stored is None:
        say("  The sign-in that was kept here still holds; this directory belongs to it again.")
    else:
        say(f"  {_stored_words(signed_in.stored)}")
        if signed_in.stored.why and os.environ.get("GATEKEEPER_LOG") == "debug":
            say(f"  The keyring: {signed_in.stored.why}", sys.stderr)
    return 0


def _sign_in(here: Here, code: str, *, oidc: bool, device: bool, device_name: str) -> SignedIn:
    from gatekeeper.cli.browser_login import by_browser, by_device_code, device_name_of

    name = device_name_of(device_name, longest=MAX_DEVICE_NAME)
    if device:
        return by_device_code(here, name)
    if oidc or (not code and here.may_ask() and here.calls.usual_sign_in() == "browser"):
        return by_browser(here, name)
    return _redeem(here, code, name)


def _redeem(here: Here, code: str, device_name: str) -> SignedIn:
    code = (code or _ask_code(here)).strip()
    if not code:
        raise GatekeeperError(
            "GK100",
            "--code is empty: your operator or IT gives you the code.",
            remedy="gatekeeper login --code CODE",
        )
    with waiting(f"Signing in to {here.settings.service}"):
        return here.calls.sign_in(code=code, device_name=device_name)


def _ask_code(here: Here) -> str:
    if not here.may_ask():
        raise GatekeeperError(
            "GK100",
            "login needs a one-time code: your operator or IT gives you the code.",
            remedy="gatekeeper login --code CODE",
        )
    return str(typer.prompt("One-time code", err=True))


def _stored_words(stored: Stored) -> str:
    """Say where the credential is kept, whatever it was put in: nobody should have to guess."""
    words = {
        "keyring": "The credential is kept in your keyring.",
        "memory": "The credential is kept in memory alone, and gone when this command ends.",
    }
    if stored.where not in words and stored.why:
        return f"No keyring answered, so the credential stands in {stored.path}, readable by you alone."
    return words.get(stored.where) or f"The credential is kept in {stored.path}, readable by you alone."
