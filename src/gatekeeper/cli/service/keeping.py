"""`service backup` and `service restore`: what was decided, kept elsewhere and brought back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gatekeeper.cli.formats.json import instant, print_json
from gatekeeper.cli.formats.text import say
from gatekeeper.cli.moments import render_moment
from gatekeeper.cli.options import Json
from gatekeeper.cli.service.keys import RootKey
from gatekeeper.cli.service.made import Data, data_of, examples, hint, now, opened, require_packages


@examples("backup ./gatekeeper-monday.tar", "backup --with-keys /media/safe/gatekeeper.tar")
def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to write it; no file may stand there.")],
    *,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="With the keys: whoever has such a backup has the service.")
    ] = False,
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Write the database and the settings, as they stand at one moment, into one file. The service goes on."""
    with opened(data) as (settings, store):
        from gatekeeper.service.operate.backup import backup as make_backup

        made = make_backup(store, settings, Path(file), with_keys=with_keys, now=now())
    if as_json:
        print_json({"file": str(made.path), "bytes": made.bytes, "keys": made.keys})
        return
    say(f"{made.path}: database and settings, {f'{made.keys} keys' if made.keys else 'no keys'}")
    if not made.keys:
        hint(
            "Keep a copy of the keys, too (--with-keys, or by hand): without them nobody believes what is restored."
        )


@examples("restore ./gatekeeper-monday.tar", "restore ./monday.tar --root-key /media/stick/root.json")
def restore(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A backup that `service backup` made.")],
    *,
    root_key: RootKey = "",
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Put a backup in the place of the database, while nothing serves it. The audit log begins anew under a new name."""
    require_packages()
    from gatekeeper.service.operate.restore import REPLACED
    from gatekeeper.service.operate.restore import restore as bring_back
    from gatekeeper.service.serving import keepers_of_settings
    from gatekeeper.service.settings import FILE_NAME, load_settings

    where = data_of(data)
    settings = load_settings(where) if (where / FILE_NAME).exists() else None
    at = now()
    made = bring_back(
        Path(file),
        where,
        issuer=settings.issuer if settings else "",
        root_key_path=Path(root_key) if root_key else None,
        now=at,
        **({"keepers": keepers_of_settings(settings)} if settings else {}),
    )
    if as_json:
        print_json({"taken_at": instant(made.taken_at), "root_version": made.root.version})
        return
    say(
        f"Restored as of {render_moment(made.taken_at, now=at)}; root document {made.root.version} names the new log"
    )
    hint(
        "What was decided since is gone, revocations included: look through the audit feed, and revoke again."
    )
    hint(f"The database of before stays as {REPLACED}.")
