"""`service init`, `start`, `migrate` and `status`: a service comes about, runs, and tells how it stands."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from gatekeeper.cli.formats.json import instant, print_json
from gatekeeper.cli.formats.text import print_table, say
from gatekeeper.cli.moments import render_moment
from gatekeeper.cli.options import Json
from gatekeeper.cli.service.made import Data, data_of, examples, hint, now, opened, require_packages
from gatekeeper.errors import GatekeeperError


@examples(
    "init --data ./approvals",
    "init --issuer https://gatekeeper.acme.example --policy ./policy --root-key /media/stick/root.json",
    "init --database postgresql://gatekeeper@db.acme.example/gatekeeper --database-password-file ./db-password",
)
def init(
    *,
    issuer: Annotated[
        str, typer.Option("--issuer", metavar="URL", help="Where clients reach it; exact, and for good.")
    ] = "http://localhost:8750",
    policy_folder: Annotated[
        str, typer.Option("--policy", metavar="DIR", help="Start with this policy.", show_default=False)
    ] = "",
    root_key: Annotated[
        str,
        typer.Option(
            "--root-key", metavar="FILE", help="Make the root key here, outside.", show_default=False
        ),
    ] = "",
    database: Annotated[
        str,
        typer.Option(
            "--database", metavar="URL", help="A PostgreSQL database.", show_default="a file in the directory"
        ),
    ] = "",
    password_file: Annotated[
        str,
        typer.Option(
            "--database-password-file", metavar="FILE", help="Its password, 0600.", show_default=False
        ),
    ] = "",
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Make a service: keys, database and a starting policy. Prints the two lines that clients need in their configuration."""
    require_packages()
    from gatekeeper.service.operate.init import init_service
    from gatekeeper.service.policy.folder import load_folder

    where = data_of(data)
    where.parent.mkdir(parents=True, exist_ok=True)
    made = init_service(
        where,
        issuer=issuer,
        policy=load_folder(Path(policy_folder)) if policy_folder else None,
        root_key_path=Path(root_key) if root_key else None,
        database=database,
        password_file=os.path.abspath(password_file) if password_file else "",  # noqa: PTH100 - a link stays one
        now=now(),
    )
    if as_json:
        print_json({"service": made.service, "trust_roots": [made.trust_root]})
        return
    say(f'service = "{made.service}"')
    say(f'trust_roots = ["{made.trust_root}"]')
    hint(f"The service is made in {where}. The two lines are what clients need in their config.toml.")
    if not policy_folder:
        hint(f"Its policy lies in {where / 'policy'}: edit it, then gatekeeper service policy apply.")
    if not root_key:
        hint("The root key lies in the same directory; with --root-key it is made elsewhere, which is safer.")
    hint(f"Next: gatekeeper service start --data {where}")


@examples(
    "start --data ./approvals",
    "start --listen 127.0.0.1:8750",
    "start --workers 4 --metrics 127.0.0.1:9750 --log-format json --behind-proxy 10.0.0.0/8",
)
def start(
    *,
    listen: Annotated[
        str,
        typer.Option(
            "--listen", metavar="HOST:PORT", help="Where to listen.", show_default="as service.toml says"
        ),
    ] = "",
    database: Annotated[
        str,
        typer.Option("--database", metavar="URL", help="The database.", show_default="as service.toml says"),
    ] = "",
    tls_cert: Annotated[
        str,
        typer.Option("--tls-cert", metavar="FILE", help="The certificate chain, PEM.", show_default=False),
    ] = "",
    tls_key: Annotated[
        str, typer.Option("--tls-key", metavar="FILE", help="Its key, PEM.", show_default=False)
    ] = "",
    behind_proxy: Annotated[
        list[str] | None,
        typer.Option(
            "--behind-proxy",
            metavar="ADDRESS",
            help="A proxy in front that speaks TLS, and whose word on a caller's address counts.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, max=64, help="Processes behind the one address.")
    ] = 1,
    metrics: Annotated[
        str,
        typer.Option(
            "--metrics",
            metavar="HOST:PORT",
            help="Show figures to Prometheus here.",
            show_default="as service.toml says",
        ),
    ] = "",
    log_format: Annotated[
        str, typer.Option("--log-format", metavar="text|json", help="json logs every call.")
    ] = "text",
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C; calls under way are then finished."""
    require_packages()
    from gatekeeper.service.serving import serve
    from gatekeeper.service.settings import load_settings

    settings = load_settings(data_of(data))
    if log_format not in ("text", "json"):
        raise GatekeeperError("GK100", f"--log-format is text or json, not {log_format!r}.")
    given = {
        "listen": listen,
        "database": database,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "metrics": metrics,
    }
    settings = settings.replace(**{name: value for name, value in given.items() if value})
    if behind_proxy:
        settings = settings.replace(behind_proxy=tuple(behind_proxy))

    def announce(issuer: str) -> None:
        if as_json:
            print_json({"service": issuer, "listen": settings.listen, "pid": os.getpid()})
        hint(f"serving on {issuer} (process {os.getpid()})")

    # Ctrl-C is how a person ends it: calls under way are finished by then, as after SIGTERM.
    with suppress(KeyboardInterrupt):
        serve(settings, announce=announce, workers=workers, log_format=log_format)
    hint("stopped")


@examples("status", "status --json")
def status(data: Data = "", as_json: Json = False) -> None:
    """Show how the service stands: policy, root document, what waits, what is granted."""
    with opened(data) as (settings, store):
        from gatekeeper.service.operate.overview import ROOT_WARN_FOR, overview
        from gatekeeper.service.store.address import shown

        database = shown(settings.database)
        at = now()
        seen = overview(store, settings.data, now=at)
    if as_json:
        print_json(
            {
                "service": settings.issuer,
                "listen": settings.listen,
                "database": database,
                "policy": seen.policy,
                "tools": seen.tools,
                "stopped": list(seen.stopped),
                "root_version": seen.root_version,
                "root_ends": instant(seen.root_ends_at),
                "root_online": seen.root_online,
                "pending": seen.pending,
                "grants": seen.grants,
                "devices": seen.devices,
                "messages_waiting": seen.undelivered,
                "messages_given_up": seen.given_up,
                "messages_error": seen.given_up_for,
            }
        )
        return
    ends = render_moment(seen.root_ends_at, now=at)
    soon = ": reissue it soon" if seen.root_ends_at - at < ROOT_WARN_FOR else ""
    given_up = f", {seen.given_up} given up ({seen.given_up_for})" if seen.given_up else ""
    print_table(
        ("SERVICE", settings.issuer),
        [
            ("listen", settings.listen),
            ("database", database),
            ("policy", f"version {seen.policy}, {seen.tools} tools"),
            ("stopped", ", ".join(seen.stopped) or "nothing"),
            ("root document", f"version {seen.root_version}, until {ends}{soon}"),
            ("root key", "root online: it lies in the data directory" if seen.root_online else "offline"),
            ("requests", f"{seen.pending} pending"),
            ("grants", f"{seen.grants} active"),
            ("devices", f"{seen.devices} enrolled"),
            ("messages", f"{seen.undelivered} waiting{given_up}"),
        ],
    )


@examples("migrate")
def migrate(data: Data = "", as_json: Json = False) -> None:
    """Bring the database to this program's schema. Nothing happens where it is current."""
    with opened(data) as (_, store):
        from gatekeeper.service.store.migrate import is_current, upgrade

        changed = not is_current(store)
        upgrade(store)
    if as_json:
        print_json({"changed": changed})
    else:
        say("The database was brought to this program's schema." if changed else "The database is current.")
