"""`service keys …`: the signing keys and the root document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatekeeper.cli.formats.json import instant, print_json
from gatekeeper.cli.formats.text import print_table, say
from gatekeeper.cli.moments import render_moment
from gatekeeper.cli.options import Json
from gatekeeper.cli.service.made import Data, data_of, examples, hint, now, opened, require_packages

if TYPE_CHECKING:
    from gatekeeper.service.keys.ceremony import RootInfo
    from gatekeeper.service.settings import ServiceSettings

commands = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

RootKey = Annotated[
    str,
    typer.Option(
        "--root-key", metavar="FILE", help="The root key.", show_default="in the service's directory"
    ),
]


@commands.command("list")
@examples("keys list")
def keys_list(data: Data = "", as_json: Json = False) -> None:
    """List the signing keys by purpose. Private keys are never shown."""
    require_packages()
    from gatekeeper.service.operate.overview import key_rows
    from gatekeeper.service.serving import keepers_of_settings
    from gatekeeper.service.settings import load_settings

    settings = load_settings(data_of(data))
    at = now()
    rows = key_rows(settings.data, keepers=keepers_of_settings(settings), now=at)
    if as_json:
        print_json(
            {
                "keys": [
                    {
                        "purpose": row.purpose,
                        "kid": row.kid,
                        "signs": row.signs,
                        "where": row.where,
                        **({"signs_from": instant(row.use_at)} if row.use_at else {}),
                    }
                    for row in rows
                ]
            }
        )
        return

    def use(signs: bool, use_at: int) -> str:
        if use_at:
            return f"signs from {render_moment(use_at, now=at)}"
        return "signs" if signs else "verifies"

    print_table(
        ("PURPOSE", "KEY", "WHERE", "USE"),
        [(row.purpose, row.kid, row.where, use(row.signs, row.use_at)) for row in rows],
    )


@commands.command("rotate")
@examples(
    "keys rotate approval",
    "keys rotate approval --key aws-kms:alias/gatekeeper-approval-2",
    "keys rotate approval --now --root-key /media/stick/root.json",
)
def keys_rotate(
    purpose: Annotated[str, typer.Argument(metavar="PURPOSE", help="approval, gateway, status or policy.")],
    *,
    key: Annotated[
        str,
        typer.Option(
            "--key",
            metavar="KIND:NAME",
            help="A key that lives elsewhere: aws-kms:ARN, vault:NAME:VERSION, pkcs11:LABEL.",
            show_default="a new file",
        ),
    ] = "",
    at_once: Annotated[
        bool, typer.Option("--now", help="Sign with it at once: for a key that was stolen.")
    ] = False,
    root_key: RootKey = "",
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Make the next key of a purpose. It is published now, and signs in 48 hours, when every client knows it."""
    with opened(data) as (settings, store):
        from gatekeeper.service.keys.settings import parse_reference
        from gatekeeper.service.operate.root import rotate_key

        at = now()
        made = rotate_key(
            store,
            settings.data,
            purpose,
            reference=parse_reference(key) if key else None,
            at_once=at_once,
            now=at,
            **_ceremony(settings, root_key),
        )
    if as_json:
        print_json(
            {
                "purpose": purpose,
                "kid": made.kid,
                "signs_from": instant(made.use_at),
                "root_version": made.root.version,
            }
        )
        return
    when = "now" if made.use_at <= at else render_moment(made.use_at, now=at)
    say(f"{made.kid} is published in root document {made.root.version}, and signs from {when}")


@commands.command("drop")
@examples("keys drop KID", "keys drop KID --root-key /media/stick/root.json")
def keys_drop(
    kid: Annotated[str, typer.Argument(metavar="KID", help="The key, as `keys list` shows it.")],
    *,
    root_key: RootKey = "",
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Leave a key out of the next root document, at once: what it signed is then refused."""
    with opened(data) as (settings, store):
        from gatekeeper.service.operate.root import drop_key

        made = drop_key(store, settings.data, kid, now=now(), **_ceremony(settings, root_key))
    _tell(made, f"{kid} is dropped with root document {made.version}", as_json=as_json)
    hint(f"IT may push min_root_version = {made.version}, so that no client goes by an older document.")


@commands.command("rotate-root")
@examples("keys rotate-root /media/new-stick/root.json --root-key /media/stick/root.json")
def keys_rotate_root(
    new_root_key: Annotated[str, typer.Argument(metavar="FILE", help="Make the new root key here.")],
    *,
    root_key: RootKey = "",
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Make a new root key. Clients that know the old one follow; new ones are given the new thumbprint."""
    with opened(data) as (settings, store):
        from gatekeeper.service.operate.root import rotate_root

        made = rotate_root(
            store, settings.data, Path(new_root_key), now=now(), **_ceremony(settings, root_key)
        )
    if as_json:
        print_json({"root_version": made.version, "trust_roots": [made.thumbprint]})
        return
    say(f'trust_roots = ["{made.thumbprint}"]')
    hint(f"Root document {made.version} names the new key. The line is for clients that begin from now on.")


@commands.command("reissue-root")
@examples("keys reissue-root", "keys reissue-root --root-key /media/stick/root.json")
def keys_reissue_root(
    *,
    new_log: Annotated[
        bool,
        typer.Option("--new-log", help="Begin the audit log anew: the database came back from a backup."),
    ] = False,
    root_key: RootKey = "",
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Sign the next root document, for another 100 days. Clients that know the last one accept it."""
    with opened(data) as (settings, store):
        from gatekeeper.service.operate.root import reissue_root

        at = now()
        made = reissue_root(
            store, settings.data, new_log_origin=new_log, now=at, **_ceremony(settings, root_key)
        )
    _tell(
        made,
        f"Root document {made.version} is published, until {render_moment(made.expires_at, now=at)}",
        as_json=as_json,
    )


def _ceremony(settings: ServiceSettings, root_key: str) -> dict[str, Any]:
    """Return what every ceremony needs: who it is for, the root key, and how to reach keys that live elsewhere."""
    from gatekeeper.service.serving import keepers_of_settings

    return {
        "issuer": settings.issuer,
        "root_key_path": Path(root_key) if root_key else None,
        "keepers": keepers_of_settings(settings),
    }


def _tell(made: RootInfo, words: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"root_version": made.version, "root_ends": instant(made.expires_at)})
    else:
        say(words)
