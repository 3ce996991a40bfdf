"""`service policy …`: the organisation's policy."""

from __future__ import annotations

import typer

from gatekeeper.cli.formats.json import print_json
from gatekeeper.cli.formats.text import say
from gatekeeper.cli.options import Json
from gatekeeper.cli.service.made import Data, examples, hint, now, opened

commands = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@commands.command("show")
@examples("policy show", "policy show > catalogue.toml")
def policy_show(data: Data = "", as_json: Json = False) -> None:
    """Print the catalogue.toml that is in force."""
    with opened(data) as (_, store):
        from gatekeeper.service.operate.overview import policy_text

        version, text = policy_text(store, now=now())
    if as_json:
        print_json({"version": version, "catalogue": text})
        return
    for line in text.splitlines():
        say(line)
    hint(f"This is version {version} of the policy.")
