"""`gatekeeper config`: where configuration stands, what is in force, and which file says so. Changes nothing."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from gatekeeper.cli.formats.text import print_table, say
from gatekeeper.cli.here import Here
from gatekeeper.cli.options import Json
from gatekeeper.config.keys import KEYS
from gatekeeper.errors import GatekeeperError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gatekeeper.config.load import ListedValue

EXAMPLES = (
    "gatekeeper config path",
    "gatekeeper config get service",
    "gatekeeper config list --show-origin",
)
ShowOrigin = Annotated[
    bool, typer.Option("--show-origin", help="Say which layer and file each value comes from.")
]


def _examples(*examples: str) -> Callable[[Any], Any]:
    """Add runnable examples to a command's help."""

    def add(function: Any) -> Any:
        shown = "\n".join(f"  gatekeeper config {example}" for example in examples)
        function.__doc__ = f"{function.__doc__}\n\n\b\nExamples:\n{shown}"
        return function

    return add


app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Show what is configured, and by which file.\n\n\b\nExamples:\n"
    + "\n".join(f"  {example}" for example in EXAMPLES),
)


@app.command("path")
@_examples("path", "path --json")
def path(ctx: typer.Context, *, as_json: Json = False) -> int:
    """Print where your own configuration file stands, there or not yet. With --json every layer's file."""
    from gatekeeper.config.keys import USER
    from gatekeeper.config.load import list_files

    here: Here = ctx.obj.here()
    files = list_files(here.world)
    if as_json:
        from gatekeeper.cli.formats.json import print_json

        print_json(
            {"files": [{"layer": one.layer, "path": one.path, "present": one.present} for one in files]}
        )
    else:
        say(next(one.path for one in files if one.layer == USER))
    return 0


@app.command("get")
@_examples("get service", "get trust_roots --show-origin")
def get(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", show_default=False)],
    *,
    show_origin: ShowOrigin = False,
    as_json: Json = False,
) -> int:
    """Print the value of KEY that is in force."""
    here: Here = ctx.obj.here()
    found = next((one for one in _listed(here) if one.key == key), None)
    if found is None:
        from difflib import get_close_matches

        near = get_close_matches(key.lower(), [one.name for one in KEYS], n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise GatekeeperError("GK100", f"There is no key {key!r}.{hint}", remedy="gatekeeper config list")
    if as_json:
        from gatekeeper.cli.formats.json import print_json

        print_json(_members(found))
    else:
        origin = f"  ({_origin(found)})" if show_origin else ""
        say(f"{_shown(found)}{origin}")
    return 0


@app.command("list")
@_examples("list", "list --show-origin")
def list_(ctx: typer.Context, *, show_origin: ShowOrigin = False, as_json: Json = False) -> int:
    """List every key with its value in force."""
    here: Here = ctx.obj.here()
    found = _listed(here)
    if as_json:
        from gatekeeper.cli.formats.json import print_json

        print_json({"profile": here.settings.profile, "values": [_members(one) for one in found]})
        return 0
    columns = ("KEY", "VALUE", "ORIGIN") if show_origin else ("KEY", "VALUE")
    rows = [(one.key, _shown(one), _origin(one))[: len(columns)] for one in found]
    print_table(columns, rows)
    return 0


def _listed(here: Here) -> tuple[ListedValue, ...]:
    from gatekeeper.config.load import list_values, load_settings

    # What was passed over matters to whoever looks at the configuration, and to nobody at a launch.
    for warning in load_settings(here.world, profile=here.asked_profile).warnings:
        say(f"gatekeeper: {warning}", sys.stderr)
    return list_values(here.world, profile=here.asked_profile)


def _origin(one: ListedValue) -> str:
    return f"{one.origin}, locked" if one.locked else one.origin


def _shown(one: ListedValue) -> str:
    return one.value if isinstance(one.value, str) else json.dumps(one.value)


def _members(one: ListedValue) -> dict[str, object]:
    return {"key": one.key, "value": one.value, "origin": one.origin, "locked": one.locked}
