"""The commands of `gatekeeper service`, put together."""

from __future__ import annotations

import typer

from gatekeeper.cli.service import inviting, keys, policy, reviewing, running
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
    help=with_examples("The organisation's policy.", "policy show"),
)
app.add_typer(
    keys.commands,
    name="keys",
    short_help="The service's signing keys.",
    help=with_examples("The service's signing keys.", "keys list", "keys reissue-root"),
)
app.command()(running.status)
app.command()(running.migrate)
