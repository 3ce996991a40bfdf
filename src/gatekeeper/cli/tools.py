"""`gatekeeper tools`: the organisation's catalogue, as this workstation holds it, and what of it is installed here.

Nothing is started to find out: the executable that PATH finds is looked at, with the metadata beside it.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gatekeeper.cli.approvals import Standing, scope_words, standings
from gatekeeper.cli.check import require_tool
from gatekeeper.cli.formats.text import print_table, say, waiting
from gatekeeper.cli.here import Here
from gatekeeper.cli.options import Json, Offline
from gatekeeper.documents.launch_token_rendered import render_identities
from gatekeeper.errors import GatekeeperError
from gatekeeper.launch.find import examine, find, own_of
from gatekeeper.values import Value
from gatekeeper.workstation.state import shims_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.decision.facts import Executable
    from gatekeeper.documents.catalogue import Catalogue, CatalogueTool
    from gatekeeper.documents.launch_token import Identity

EXAMPLES = ("gatekeeper tools", "gatekeeper tools claude", "gatekeeper tools --json")


class Line(Value):
    """One tool of the catalogue, with what is known of it here."""

    tool: CatalogueTool
    standing: Standing
    installed: Executable | None


def tools(
    ctx: typer.Context,
    tool: Annotated[
        str, typer.Argument(metavar="[TOOL]", help="One tool, in full.", show_default=False)
    ] = "",
    *,
    as_json: Json = False,
    offline: Offline = False,
) -> int:
    """List the tools of your organisation's catalogue: access, versions, alternatives, and what is installed here."""
    here: Here = ctx.obj.here()
    if tool:
        require_tool(tool)
    catalogue = catalogue_of(here, offline=offline)
    chosen = catalogue.tools
    if tool:
        found = catalogue.tool(tool)
        if found is None:
            raise GatekeeperError("GK302", f"{tool} is not in the catalogue.", remedy="gatekeeper tools")
        chosen = (found,)
    known = {one.tool: one for one in standings(here.held, grants=None, requests=None)}
    lines = [Line(tool=one, standing=known[one.id], installed=installed(here, one)) for one in chosen]
    if as_json:
        _print_json(catalogue, lines)
    elif tool:
        _print_one(here, catalogue, lines[0])
    else:
        _print_list(here, catalogue, lines)
    return 0


def catalogue_of(here: Here, *, offline: bool) -> Catalogue:
    """Return the verified catalogue, from the service where none is held or it is over. GatekeeperError GK2xx, GK5xx, GK6xx."""
    held = here.require_sign_in()
    current = held.catalogue is not None and held.clock < held.catalogue.expires_at
    if not current and not offline and not here.settings.offline:
        try:
            with waiting(f"Asking {here.settings.service} for the catalogue"):
                here.calls.fetch_catalogue()
            here.forget_held()
        except GatekeeperError as error:
            if held.catalogue is None:
                raise
            say(f"The catalogue could not be renewed: {error.detail}", sys.stderr)
    found = here.held.catalogue
    if found is None:
        raise GatekeeperError("GK601", "No catalogue is held here.")
    return found


def installed(here: Here, tool: CatalogueTool) -> Executable | None:
    """Return what PATH finds of a tool, with its version as far as its metadata tell; None where nothing is found."""
    environment = here.world.environment()
    own = own_of(here.world, shims_directory(environment, here.world.home()))
    try:
        found = find(here.world, tool.executables, path=environment.get("PATH", ""), own=own)
        return examine(here.world, found, digest_of=lambda _: "") if isinstance(found, str) else None
    except OSError:
        return None  # what can't be judged can't be launched either; `check` says why


def versions_of(identities: tuple[Identity, ...]) -> str:
    """Name the versions that are accepted, "any" where nothing narrows them."""
    ranges = [one.versions for one in identities if one.versions]
    return " or ".join(dict.fromkeys(ranges)) or "any"


def _print_list(here: Here, catalogue: Catalogue, lines: list[Line]) -> None:
    print_table(
        ("TOOL", "NAME", "VENDOR", "ACCESS", "STATE", "VERSIONS", "INSTALLED", "INSTEAD"),
        [
            (
                line.tool.id,
                line.tool.name,
                line.tool.vendor_name,
                "stopped" if line.tool.stopped else line.tool.access,
                line.standing.state,
                versions_of(line.tool.identities),
                _installed_words(line.installed),
                ", ".join(line.tool.alternatives),
            )
            for line in lines
        ],
    )
    if here.held.clock >= catalogue.expires_at:
        say("This catalogue is out of date: gatekeeper sync", sys.stderr)


def _installed_words(found: Executable | None) -> str:
    return "no" if found is None else found.version or "yes"


def _print_one(here: Here, catalogue: Catalogue, line: Line) -> None:
    tool, found = line.tool, line.installed
    rows = [
        ("tool", f"{tool.id}: {tool.name}, by {tool.vendor_name}"),
        ("access", tool.access),
        ("stopped now", tool.stopped),
        ("state", line.standing.state),
        ("approved", scope_words(line.standing)),
        ("executables", ", ".join(tool.executables)),
        ("versions", versions_of(tool.identities)),
        ("recognised as", "; ".join(_identity_words(one) for one in tool.identities)),
        ("installed", "no" if found is None else f"{found.version or 'version unknown'} {found.found}"),
        ("instead", ", ".join(tool.alternatives)),
        ("refused in", ", ".join(tool.zones_refused)),
        ("at most", tool.max_duration),
        ("reason", f"at least {tool.min_reason} characters" if tool.min_reason else ""),
        ("help", catalogue.help),
    ]
    for label, words in rows:
        if words:
            say(f"{label:<14}{words}")
    if here.held.clock >= catalogue.expires_at:
        say("This catalogue is out of date: gatekeeper sync", sys.stderr)


def _identity_words(one: Identity) -> str:
    names = [("npm", one.npm), ("PyPI", one.pypi), ("vendor's installer", one.native)]
    words = [f"{home} {name}" for home, name in names if name]
    if one.versions:
        words.append(one.versions)
    if one.sha256:
        words.append(f"{len(one.sha256)} digest{'s' if len(one.sha256) != 1 else ''}")
    return " ".join(words)


def _print_json(catalogue: Catalogue, lines: list[Line]) -> None:
    from gatekeeper.cli.formats.json import instant, print_json

    print_json(
        {
            "organisation": catalogue.organisation or None,
            "help": catalogue.help or None,
            "version": catalogue.version,
            "issued_at": instant(catalogue.issued_at),
            "expires_at": instant(catalogue.expires_at),
            "tools": [
                {
                    "tool": line.tool.id,
                    "name": line.tool.name,
                    "vendor": line.tool.vendor,
                    "vendor_name": line.tool.vendor_name,
                    "access": line.tool.access,
                    "stopped": line.tool.stopped or None,
                    "state": line.standing.state,
                    "executables": list(line.tool.executables),
                    "identity": render_identities(line.tool.identities),
                    "versions": versions_of(line.tool.identities),
                    "alternatives": list(line.tool.alternatives),
                    "zones_refused": list(line.tool.zones_refused),
                    "max_duration": line.tool.max_duration or None,
                    "min_reason": line.tool.min_reason,
                    "installed": None
                    if line.installed is None
                    else {"version": line.installed.version or None, "path": line.installed.found},
                }
                for line in lines
            ],
        }
    )
