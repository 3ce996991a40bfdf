"""`service keys …`: the signing keys and the root document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gatekeeper.cli.formats.json import instant, print_json
from gatekeeper.cli.formats.text import print_table, say
from gatekeeper.cli.moments import render_moment
from gatekeeper.cli.options import Json
from gatekeeper.cli.service.made import Data, data_of, examples, now, opened, require_packages

commands = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@commands.command("list")
@examples("keys list")
def keys_list(data: Data = "", as_json: Json = False) -> None:
    """List the signing keys by purpose. Private keys are never shown."""
    require_packages()
    from gatekeeper.service.operate.overview import key_rows

    rows = key_rows(data_of(data))
    if as_json:
        print_json({"keys": [{"purpose": row.purpose, "kid": row.kid, "signs": row.signs} for row in rows]})
        return
    print_table(
        ("PURPOSE", "KEY", "USE"),
        [(row.purpose, row.kid, "signs" if row.signs else "verifies") for row in rows],
    )


@commands.command("reissue-root")
@examples("keys reissue-root", "keys reissue-root --root-key /media/stick/root.json")
def keys_reissue_root(
    *,
    root_key: Annotated[
        str,
        typer.Option(
            "--root-key", metavar="FILE", help="The root key.", show_default="in the service's directory"
        ),
    ] = "",
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Sign the next root document, for another 100 days. Clients that know the last one accept it."""
    with opened(data) as (settings, store):
        from gatekeeper.service.operate.root import reissue_root

        at = now()
        made = reissue_root(
            store,
            settings.data,
            issuer=settings.issuer,
            root_key_path=Path(root_key) if root_key else None,
            now=at,
        )
    if as_json:
        print_json({"root_version": made.version, "root_ends": instant(made.expires_at)})
    else:
        say(f"Root document {made.version} is published, until {render_moment(made.expires_at, now=at)}")
