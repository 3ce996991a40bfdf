"""`gatekeeper explain`: what a code means, from the one table of codes."""

from __future__ import annotations

from typing import Annotated

import typer

from gatekeeper.cli.formats.text import look_of, print_table, say
from gatekeeper.cli.options import Json
from gatekeeper.codes import CODES
from gatekeeper.errors import GatekeeperError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.codes import Row

EXAMPLES = ("gatekeeper explain GK301", "gatekeeper explain 601", "gatekeeper explain")


def explain(
    code: Annotated[
        str, typer.Argument(metavar="[CODE]", help="Such as GK301 or 301.", show_default=False)
    ] = "",
    *,
    as_json: Json = False,
) -> int:
    """Say what a code means, what to do about it, and which exit status it gives. Without CODE: all of them."""
    if not code:
        _all(as_json=as_json)
        return 0
    row = find_row(code)
    if as_json:
        from gatekeeper.cli.formats.json import print_json

        print_json(_members(row))
        return 0
    import sys
    from textwrap import wrap

    say(f"{row.code}  {row.title} ({row.kind})")
    say("")
    for line in wrap(row.meaning, min(look_of(sys.stdout).columns - 2, 100)):
        say(f"  {line}")
    say("")
    say(f"  Do     {row.remedy}")
    say(f"  Exit   {row.check_exit}; {row.run_exit} from run and shims")
    return 0


def find_row(text: str) -> Row:
    """Return the row of a code however it is written (`gk301`, `301`). GatekeeperError GK100 names the nearest ones."""
    digits = text.strip().upper().removeprefix("GK")
    row = CODES.get(f"GK{digits}")
    if row is not None:
        return row
    from difflib import get_close_matches

    near = get_close_matches(f"GK{digits}", CODES, n=3, cutoff=0.6)
    if digits.isascii() and digits.isdigit() and len(digits) < 6:
        near = sorted(CODES, key=lambda code: abs(int(code[2:]) - int(digits)))[:3]
    hint = f" Near it: {', '.join(near)}." if near else ""
    raise GatekeeperError("GK100", f"There is no code {text!r}.{hint}", remedy="gatekeeper explain")


def _all(*, as_json: bool) -> None:
    if as_json:
        from gatekeeper.cli.formats.json import print_json

        print_json({"codes": [_members(row) for row in CODES.values()]})
        return
    print_table(
        ("CODE", "TITLE", "KIND", "EXIT", "RUN"),
        [(row.code, row.title, row.kind, str(row.check_exit), str(row.run_exit)) for row in CODES.values()],
    )


def _members(row: Row) -> dict[str, object]:
    return {
        "code": row.code,
        "title": row.title,
        "kind": row.kind,
        "meaning": row.meaning,
        "remedy": row.remedy,
        "exit": row.check_exit,
        "run_exit": row.run_exit,
    }
