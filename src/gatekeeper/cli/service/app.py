"""The commands of `gatekeeper service`, put together."""

from __future__ import annotations

import typer

from gatekeeper.cli.service import (
    audit,
    inviting,
    keeping,
    keys,
    policy,
    provisioning,
    reviewing,
    running,
    stopping,
)
from gatekeeper.cli.service.made import with_examples

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help=with_examples(
        "Run the approval service, and decide as its operator.",
        "init --data ./approvals",
        "start --data ./approvals",
        "invite ada@acme.example --group dev",
        "review list",
    ),
)
app.command()(running.init)
app.command()(running.start)
app.command()(inviting.invite)
app.command("scim-token")(provisioning.scim_token)
app.add_typer(
    reviewing.commands,
    name="review",
    short_help="Decide about access requests and grants, as the operator.",
    help=with_examples(
        "Decide about access requests and grants, as the operator.",
        "review list",
        "review approve R-1 --as sam@acme.example",
        'review revoke G-1 --as sam@acme.example --reason "The project ended."',
    ),
)
app.add_typer(
    policy.commands,
    name="policy",
    short_help="The organisation's policy.",
    help=with_examples(
        "The organisation's policy.", "policy lint ./policy", "policy diff ./policy", "policy apply ./policy"
    ),
)
app.add_typer(
    keys.commands,
    name="keys",
    short_help="The service's signing keys.",
    help=with_examples(
        "The service's signing keys.", "keys list", "keys rotate approval", "keys reissue-root"
    ),
)
app.add_typer(
    audit.commands,
    name="audit",
    short_help="Check the audit log, report from it, export it.",
    help=with_examples(
        "Check the audit log, report from it, export it.",
        "audit verify",
        "audit report --as-of 2026-06-30 --out ./report",
        "audit export --format ocsf",
    ),
)
app.command()(stopping.stop)
app.command()(stopping.resume)
app.command()(running.status)
app.command()(running.migrate)
app.command()(keeping.backup)
app.command()(keeping.restore)
