"""`service invite`: a one-time code with which a person signs in."""

from __future__ import annotations

from typing import Annotated

import typer

from gatekeeper.cli.formats.json import instant, print_json
from gatekeeper.cli.formats.text import say
from gatekeeper.cli.moments import render_moment
from gatekeeper.cli.options import Json
from gatekeeper.cli.service.made import Data, examples, hint, now, opened
from gatekeeper.errors import GatekeeperError


@examples(
    "invite ada@acme.example --group dev",
    "invite ada@acme.example --console",
    "invite ada@acme.example --name Ada --attribute country=US",
)
def invite(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="Whom, by their mail address.")],
    *,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="The name to show.", show_default=False)
    ] = "",
    group: Annotated[
        list[str] | None,
        typer.Option("--group", metavar="GROUP", help="A group; all are replaced.", show_default=False),
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            "--attribute", metavar="KEY=VALUE", help="An attribute; all are replaced.", show_default=False
        ),
    ] = None,
    console: Annotated[
        bool, typer.Option("--console", help="For the console's sign-in page, instead of for a device.")
    ] = False,
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Make a one-time code with which one device, or one browser at the console, signs in. It is shown once."""
    from_pairs = _pairs(attribute) if attribute else None
    with opened(data) as (settings, store):
        from gatekeeper.service.operate.invite import invite as make

        code, expires_at = make(
            store,
            subject,
            display=name,
            groups=group or None,
            attributes=from_pairs,
            console=console,
            now=now(),
        )
    if as_json:
        print_json({"code": code, "expires_at": instant(expires_at)})
        return
    say(code)
    until = render_moment(expires_at, now=now())
    where = f"{settings.issuer}/sign-in" if console else f"gatekeeper login --code {code}"
    hint(f"For {subject}, until {until}: {where}")


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = dict(one.partition("=")[::2] for one in given)
    if any("=" not in one for one in given) or len(pairs) != len(given):
        raise GatekeeperError("GK100", "--attribute takes KEY=VALUE, each key once.")
    return pairs
