"""`gatekeeper service …`: run the approval service, and decide as its operator. The only importer of the service.

Every command works on one data directory, and may be used while the service runs. The service's packages come
with the extra `[service]`; without them each command says so, and the help still works.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatekeeper.cli.formats.json import instant, print_json, request_members
from gatekeeper.cli.formats.text import print_table, say
from gatekeeper.cli.moments import render_moment
from gatekeeper.cli.options import Json
from gatekeeper.documents.api import RequestView
from gatekeeper.errors import GatekeeperError
from gatekeeper.workstation.paths import data_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from gatekeeper.service.access.grants import Grant
    from gatekeeper.service.access.requests import AccessRequest
    from gatekeeper.service.settings import ServiceSettings
    from gatekeeper.service.store.transactions import Store

PACKAGES = ("sqlalchemy", "alembic", "starlette", "uvicorn")


def _with_examples(words: str, *examples: str) -> str:
    shown = "\n".join(f"  gatekeeper service {example}" for example in examples)
    return f"{words}\n\n\b\nExamples:\n{shown}"


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help=_with_examples(
        "Run the approval service, and decide as its operator.",
        "init --data ./approvals",
        "start --data ./approvals",
        "invite ada@acme.example --group dev",
        "review list",
    ),
)
review = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
policy = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
keys = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
app.add_typer(
    review,
    name="review",
    short_help="Decide about access requests and grants, as the operator.",
    help=_with_examples(
        "Decide about access requests and grants, as the operator.",
        "review list",
        "review approve R-1 --as sam@acme.example",
        'review revoke G-1 --as sam@acme.example --reason "The project ended."',
    ),
)
app.add_typer(
    policy,
    name="policy",
    short_help="The organisation's policy.",
    help=_with_examples("The organisation's policy.", "policy show"),
)
app.add_typer(
    keys,
    name="keys",
    short_help="The service's signing keys.",
    help=_with_examples("The service's signing keys.", "keys list", "keys reissue-root"),
)

Data = Annotated[
    str,
    typer.Option(
        "--data", metavar="DIR", help="The service's directory.", show_default="in the data directory"
    ),
]
As = Annotated[str, typer.Option("--as", metavar="SUBJECT", help="Whose decision it is.", show_default=False)]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="The reason, for the person who asked.")
]


def _folded(id_: str) -> str:
    """Take r-1 for R-1, as everywhere."""
    return id_.upper()


RequestId = Annotated[
    str, typer.Argument(metavar="R-…", help="The request.", show_default=False, callback=_folded)
]
GrantId = Annotated[
    str, typer.Argument(metavar="G-…", help="The grant.", show_default=False, callback=_folded)
]


def _examples(*examples: str) -> Callable[[Any], Any]:
    """Add runnable examples to a command's help."""

    def add(function: Any) -> Any:
        function.__doc__ = _with_examples(" ".join((function.__doc__ or "").split()), *examples)
        return function

    return add


@app.command()
@_examples(
    "init --data ./approvals",
    "init --issuer https://gatekeeper.acme.example --policy ./policy --root-key /media/stick/root.json",
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
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Make a service: keys, database and a starting policy. Prints the two lines that clients need in their configuration."""
    _require_packages()
    from gatekeeper.service.operate.init import init_service
    from gatekeeper.service.policy.folder import load_folder

    where = _data(data)
    where.parent.mkdir(parents=True, exist_ok=True)
    made = init_service(
        where,
        issuer=issuer,
        policy=load_folder(Path(policy_folder)) if policy_folder else "",
        root_key_path=Path(root_key) if root_key else None,
        now=_now(),
    )
    if as_json:
        print_json({"service": made.service, "trust_roots": [made.trust_root]})
        return
    say(f'service = "{made.service}"')
    say(f'trust_roots = ["{made.trust_root}"]')
    _hint(f"The service is made in {where}. The two lines are what clients need in their config.toml.")
    if not root_key:
        _hint(
            "The root key lies in the same directory; with --root-key it is made elsewhere, which is safer."
        )
    _hint(f"Next: gatekeeper service start --data {where}")


@app.command()
@_examples("start --data ./approvals", "start --listen 127.0.0.1:8750")
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
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C; calls under way are then finished."""
    _require_packages()
    from gatekeeper.service.app import serve
    from gatekeeper.service.settings import load_settings

    settings = load_settings(_data(data))
    given = {"listen": listen, "database": database, "tls_cert": tls_cert, "tls_key": tls_key}
    settings = settings.replace(**{name: value for name, value in given.items() if value})
    if behind_proxy:
        settings = settings.replace(behind_proxy=tuple(behind_proxy))

    def announce(issuer: str) -> None:
        if as_json:
            print_json({"service": issuer, "listen": settings.listen, "pid": os.getpid()})
        _hint(f"serving on {issuer} (process {os.getpid()})")

    # Ctrl-C is how a person ends it: calls under way are finished by then, as after SIGTERM.
    with suppress(KeyboardInterrupt):
        serve(settings, announce=announce)
    _hint("stopped")


@app.command()
@_examples("invite ada@acme.example --group dev", "invite ada@acme.example --name Ada --attribute country=US")
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
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Make a one-time code with which one device signs in. It is shown once."""
    from_pairs = _pairs(attribute) if attribute else None
    with _opened(data) as (_, store):
        from gatekeeper.service.operate.invite import invite as make

        code, expires_at = make(
            store, subject, display=name, groups=group or None, attributes=from_pairs, now=_now()
        )
    if as_json:
        print_json({"code": code, "expires_at": instant(expires_at)})
        return
    say(code)
    _hint(f"For {subject}, until {render_moment(expires_at, now=_now())}: gatekeeper login --code {code}")


@review.command("list")
@_examples("review list", "review list --json")
def review_list(data: Data = "", as_json: Json = False) -> None:
    """List the access requests that wait for a review, the oldest first."""
    with _opened(data) as (_, store):
        from gatekeeper.service.operate.review import list_pending

        items = [_view(item.request, subject=item.subject.name) for item in list_pending(store, now=_now())]
    if as_json:
        print_json({"requests": [request_members(item) for item in items]})
        return
    rows = [
        (item.id, item.subject_name, item.tool, ", ".join(item.zones), item.duration, item.reason)
        for item in items
    ]
    if rows:
        print_table(("REQUEST", "SUBJECT", "TOOL", "ZONES", "FOR", "REASON"), rows)
    else:
        _hint("Nothing waits for a review.")


@review.command()
@_examples(
    "review approve R-1 --as sam@acme.example",
    "review approve R-1 --as sam@acme.example --for 7d --zone none",
)
def approve(
    request: RequestId,
    *,
    by: As,
    duration: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Shorter than was asked.", show_default=False)
    ] = "",
    zone: Annotated[
        list[str] | None,
        typer.Option("--zone", metavar="ZONE", help="Only these of the zones asked for.", show_default=False),
    ] = None,
    reason: Reason = "",
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Approve an access request, as it was asked or narrower. Nobody approves their own."""
    with _opened(data) as (_, store):
        from gatekeeper.service.operate import review as operate

        decided, grant = operate.approve(
            store,
            request,
            as_name=by,
            duration=duration,
            zones=tuple(zone) if zone else None,
            reason=reason,
            now=_now(),
        )
        view = _view(decided, subject=_name_of(store, decided.subject))
    if as_json:
        print_json({**request_members(view), "grant_ends": instant(grant.ends_at)})
        return
    until = render_moment(grant.ends_at, now=_now())
    say(f"{view.id} approved: {grant.id}, {view.tool} for {view.subject_name}, until {until}")


@review.command()
@_examples('review deny R-1 --as sam@acme.example --reason "Use llama for this."')
def deny(request: RequestId, by: As, reason: Reason, data: Data = "", as_json: Json = False) -> None:
    """Deny an access request. The person who asked reads the reason."""
    with _opened(data) as (_, store):
        from gatekeeper.service.operate import review as operate

        decided = operate.deny(store, request, as_name=by, reason=reason, now=_now())
        view = _view(decided, subject=_name_of(store, decided.subject))
    if as_json:
        print_json(request_members(view))
    else:
        say(f"{view.id} denied: {view.tool} for {view.subject_name}")


@review.command()
@_examples('review revoke G-1 --as sam@acme.example --reason "The project ended."')
def revoke(grant: GrantId, by: As, reason: Reason = "", data: Data = "", as_json: Json = False) -> None:
    """End a grant for good. It takes effect at each device's next renewal."""
    _act("revoke", grant, by=by, reason=reason, data=data, as_json=as_json)


@review.command()
@_examples("review suspend G-1 --as sam@acme.example")
def suspend(grant: GrantId, by: As, reason: Reason = "", data: Data = "", as_json: Json = False) -> None:
    """Stop a grant for the time being. Its end stays where it is."""
    _act("suspend", grant, by=by, reason=reason, data=data, as_json=as_json)


@review.command()
@_examples("review resume G-1 --as sam@acme.example")
def resume(grant: GrantId, by: As, reason: Reason = "", data: Data = "", as_json: Json = False) -> None:
    """Let a suspended grant stand again."""
    _act("resume", grant, by=by, reason=reason, data=data, as_json=as_json)


@policy.command("show")
@_examples("policy show", "policy show > catalogue.toml")
def policy_show(data: Data = "", as_json: Json = False) -> None:
    """Print the catalogue.toml that is in force."""
    with _opened(data) as (_, store):
        from gatekeeper.service.operate.overview import policy_text

        version, text = policy_text(store, now=_now())
    if as_json:
        print_json({"version": version, "catalogue": text})
        return
    for line in text.splitlines():
        say(line)
    _hint(f"This is version {version} of the policy.")


@keys.command("list")
@_examples("keys list")
def keys_list(data: Data = "", as_json: Json = False) -> None:
    """List the signing keys by purpose. Private keys are never shown."""
    _require_packages()
    from gatekeeper.service.operate.overview import key_rows

    rows = key_rows(_data(data))
    if as_json:
        print_json({"keys": [{"purpose": row.purpose, "kid": row.kid, "signs": row.signs} for row in rows]})
        return
    print_table(
        ("PURPOSE", "KEY", "USE"),
        [(row.purpose, row.kid, "signs" if row.signs else "verifies") for row in rows],
    )


@keys.command("reissue-root")
@_examples("keys reissue-root", "keys reissue-root --root-key /media/stick/root.json")
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
    with _opened(data) as (settings, store):
        from gatekeeper.service.operate.root import reissue_root

        now = _now()
        made = reissue_root(
            store,
            settings.data,
            issuer=settings.issuer,
            root_key_path=Path(root_key) if root_key else None,
            now=now,
        )
    if as_json:
        print_json({"root_version": made.version, "root_ends": instant(made.expires_at)})
    else:
        say(f"Root document {made.version} is published, until {render_moment(made.expires_at, now=now)}")


@app.command()
@_examples("status", "status --json")
def status(data: Data = "", as_json: Json = False) -> None:
    """Show how the service stands: policy, root document, what waits, what is granted."""
    with _opened(data) as (settings, store):
        from gatekeeper.service.operate.overview import ROOT_WARN_FOR, overview

        now = _now()
        seen = overview(store, settings.data, now=now)
    if as_json:
        print_json(
            {
                "service": settings.issuer,
                "listen": settings.listen,
                "policy": seen.policy,
                "tools": seen.tools,
                "root_version": seen.root_version,
                "root_ends": instant(seen.root_ends_at),
                "root_online": seen.root_online,
                "pending": seen.pending,
                "grants": seen.grants,
                "devices": seen.devices,
            }
        )
        return
    ends = render_moment(seen.root_ends_at, now=now)
    soon = ": reissue it soon" if seen.root_ends_at - now < ROOT_WARN_FOR else ""
    print_table(
        ("SERVICE", settings.issuer),
        [
            ("listen", settings.listen),
            ("policy", f"version {seen.policy}, {seen.tools} tools"),
            ("root document", f"version {seen.root_version}, until {ends}{soon}"),
            ("root key", "root online: it lies in the data directory" if seen.root_online else "offline"),
            ("requests", f"{seen.pending} pending"),
            ("grants", f"{seen.grants} active"),
            ("devices", f"{seen.devices} enrolled"),
        ],
    )


@app.command()
@_examples("migrate")
def migrate(data: Data = "", as_json: Json = False) -> None:
    """Bring the database to this program's schema. Nothing happens where it is current."""
    with _opened(data) as (_, store):
        from gatekeeper.service.store.migrate import is_current, upgrade

        changed = not is_current(store)
        upgrade(store)
    if as_json:
        print_json({"changed": changed})
    else:
        say("The database was brought to this program's schema." if changed else "The database is current.")


def _act(act: str, grant: str, *, by: str, reason: str, data: str, as_json: bool) -> None:
    with _opened(data) as (_, store):
        from gatekeeper.service.operate import review as operate

        acts: dict[str, Callable[..., Grant]] = {
            "revoke": operate.revoke,
            "suspend": operate.suspend,
            "resume": operate.resume,
        }
        after = acts[act](store, grant, as_name=by, reason=reason, now=_now())
        name = _name_of(store, after.subject)
    if as_json:
        print_json(
            {
                "id": after.id,
                "state": after.state,
                "tool": after.tool,
                "subject": name,
                "request": after.request,
                "ends_at": instant(after.ends_at),
            }
        )
    else:
        say(f"{after.id} is {after.state} now: {after.tool} for {name}")


def _require_packages() -> None:
    """Refuse in words where the extra isn't installed. Raises `GatekeeperError` GK106."""
    missing = [name for name in PACKAGES if not _is_there(name)]
    if missing:
        raise GatekeeperError(
            "GK106",
            f"The service's packages aren't installed: {', '.join(missing)}.",
            remedy="pip install 'ai-gatekeeper[service]'",
        )


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:
        return False


def _data(given: str) -> Path:
    """Return the service's directory, absolute, so that what is printed can be run anywhere."""
    if given:
        return Path(os.path.abspath(given))  # noqa: PTH100 - a link at the end stays a link
    home = os.environ.get("HOME", "")
    return Path(data_directory(os.environ, home)) / "service"


@contextmanager
def _opened(data: str) -> Iterator[tuple[ServiceSettings, Store]]:
    """Open a service that was made, beside the process that may be serving it."""
    _require_packages()
    from gatekeeper.service.settings import load_settings
    from gatekeeper.service.store.transactions import open_store

    settings = load_settings(_data(data))
    store = open_store(settings.database)
    try:
        yield settings, store
    finally:
        store.close()


def _view(request: AccessRequest, *, subject: str) -> RequestView:
    from gatekeeper.service.policy.folder import render_duration

    return RequestView(
        id=request.id,
        tool=request.tool,
        subject_name=subject,
        state=request.state,
        reason=request.reason,
        duration=render_duration(request.duration_for),
        zones=request.zones,
        url="",
        created_at=request.created_at,
        ticket=request.ticket,
        grant=request.grant,
        decided_by=request.decided_by,
        decision_reason=request.decision_reason,
    )


def _name_of(store: Store, subject: str) -> str:
    from gatekeeper.service.people.subjects import get_subject

    with store.read() as tx:
        return get_subject(tx, subject).name


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = dict(one.partition("=")[::2] for one in given)
    if any("=" not in one for one in given) or len(pairs) != len(given):
        raise GatekeeperError("GK100", "--attribute takes KEY=VALUE, each key once.")
    return pairs


def _hint(text: str) -> None:
    say(text, sys.stderr)


def _now() -> int:
    return int(time.time())
