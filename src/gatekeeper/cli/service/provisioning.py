"""`service scim-token`: the bearer token with which the company's directory provisions people and groups."""

from __future__ import annotations

from typing import Annotated

import typer

from gatekeeper.cli.formats.json import print_json
from gatekeeper.cli.formats.text import say
from gatekeeper.cli.options import Json
from gatekeeper.cli.service.made import Data, data_of, examples, hint, require_packages


@examples("scim-token", "scim-token --only")
def scim_token(
    *,
    only: Annotated[
        bool, typer.Option("--only", help="End the token before at once, instead of letting both work.")
    ] = False,
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Make a token for the directory's provisioning client. It is shown once; the one before works on."""
    require_packages()
    from gatekeeper.service.people.scim_settings import make_token, parse_scim
    from gatekeeper.service.settings import load_settings

    settings = load_settings(data_of(data))
    scim = settings.scim or parse_scim({}, data=settings.data)
    token = make_token(scim, keep=not only)
    address = f"{settings.issuer}/scim/v2"
    if as_json:
        print_json({"token": token, "address": address, "token_file": str(scim.token_file)})
        return
    say(token)
    hint(f"The directory's client needs it with the address {address}.")
    if settings.scim is None:
        hint(
            f"Provisioning is off: add the line [scim] to {settings.data / 'service.toml'} and start the service anew."
        )
