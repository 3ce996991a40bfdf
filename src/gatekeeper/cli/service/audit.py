"""`service audit …`: the auditor's commands over the log: verify, report, export, and erase."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatekeeper.cli.formats.json import instant, print_json
from gatekeeper.cli.formats.text import say
from gatekeeper.cli.options import Json
from gatekeeper.cli.service.made import Data, examples, hint, now, opened, require_packages
from gatekeeper.errors import GatekeeperError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatekeeper.service.audit.verify import Verdict

commands = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

_FOREVER = 2**53
RootKey = Annotated[
    list[str] | None,
    typer.Option(
        "--root-key", metavar="PIN", help="What the clients pin as trust_roots.", show_default=False
    ),
]


@commands.command("verify")
@examples(
    "audit verify --data ./approvals",
    "audit verify ./copy-of-gatekeeper.db --root-key NzbLsXh8…",
    "audit verify ./gatekeeper.db --checkpoint checkpoint-of-last-year.txt",
    "audit verify ./report-2026",
)
def verify(
    what: Annotated[
        str, typer.Argument(metavar="[FILE|REPORT]", help="A copy of the database, or a report's folder.")
    ] = "",
    *,
    root_key: RootKey = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--checkpoint", metavar="FILE", help="A signed head that was kept elsewhere.", show_default=False
        ),
    ] = None,
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Check the audit log, a copy of it, or a report: every entry, the tree over them, and every signed head."""
    require_packages()
    pins = tuple(root_key or ())
    if what and Path(what).is_dir():
        _verify_report(Path(what), pins, data, as_json=as_json)
        return
    from gatekeeper.service.audit.verify import verify_log
    from gatekeeper.service.operate.audit import copy_of

    outside = [_text_of(Path(one)) for one in checkpoint or ()]
    if what:
        with copy_of(Path(what)) as store, store.read() as tx:
            found = verify_log(tx, pins=pins, outside=outside)
    else:
        with opened(data) as (_, store), store.read() as tx:
            found = verify_log(tx, pins=pins, outside=outside)
    _show(found, pinned=bool(pins), as_json=as_json)
    _end(found.faults)


def _show(found: Verdict, *, pinned: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "holds": not found.faults,
                "entries": found.entries,
                "pending": found.pending,
                "signed": found.size,
                "origin": found.origin,
                "heads": found.heads,
                "root_keys": list(found.root_keys),
                "faults": list(found.faults),
            }
        )
        return
    for fault in found.faults:
        say(f"fault    {fault}")
    say(f"log      {found.origin}")
    say(
        f"entries  {found.entries}, {found.size} of them under the newest signed head; {found.pending} not in the tree yet"
    )
    say(f"heads    {found.heads} signed heads checked")
    say(f"root     {', '.join(found.root_keys)}{'' if pinned else '   compare it with trust_roots'}")
    if not found.faults:
        say("The log holds.")


def _verify_report(folder: Path, pins: tuple[str, ...], data: str, *, as_json: bool) -> None:
    from gatekeeper.service.audit.evidence import missing_rows
    from gatekeeper.service.operate.audit import read_report

    evidence = read_report(folder, pins=pins)
    faults = list(evidence.faults)
    if data:
        with opened(data) as (_, store), store.read() as tx:
            faults += [
                f"{grant} stands in the log and not so in the report" for grant in missing_rows(tx, evidence)
            ]
    if as_json:
        members = {"holds": not faults, "approvals": len(evidence.rows), "signed": evidence.size}
        print_json({**members, "root_keys": list(evidence.root_keys), "faults": faults})
    else:
        for fault in faults:
            say(f"fault    {fault}")
        say(f"report   {len(evidence.rows)} approvals, from the log's first {evidence.size} entries")
        say(f"root     {', '.join(evidence.root_keys)}{'' if pins else '   compare it with trust_roots'}")
        if not faults:
            say(
                "The report holds."
                if data
                else "What the report says holds; --data DIR checks that nothing is left out."
            )
    _end(faults)


def _end(faults: Sequence[str]) -> None:
    """Raise `GatekeeperError` GK506 where anything was found."""
    if faults:
        raise GatekeeperError(
            "GK506",
            f"The audit log doesn't hold: {len(faults)} fault{'s' if len(faults) > 1 else ''}.",
            remedy="keep this copy as it is, and compare it with the heads that workstations and the SIEM kept",
        )


@commands.command("report")
@examples(
    "audit report --as-of 2026-06-30 --out ./report",
    "audit report --from 2026-01-01 --to 2026-07-01 --format html --out ./report-h1",
)
def report(
    *,
    as_of: Annotated[str, typer.Option("--as-of", metavar="T", help="What stood at this moment (UTC).")] = "",
    start: Annotated[
        str, typer.Option("--from", metavar="T", help="What stood at any time from here …")
    ] = "",
    end: Annotated[str, typer.Option("--to", metavar="T", help="… to here.")] = "",
    form: Annotated[
        str, typer.Option("--format", metavar="html|csv", help="One page only.", show_default="both")
    ] = "",
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="A new folder.", show_default=False)],
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Answer who could use what on which code, by whose decision and under which policy, with proofs."""
    if bool(as_of) == bool(start or end) or bool(start) != bool(end):
        raise GatekeeperError("GK100", "Name --as-of, or --from and --to.")
    if form not in ("", "html", "csv"):
        raise GatekeeperError("GK100", "--format is html or csv.")
    with opened(data) as (settings, store):
        from gatekeeper.service.audit.report import Asked
        from gatekeeper.service.operate.audit import bring_up_to_date, write_report

        asked = Asked(start=_moment(as_of or start), end=_moment(as_of or end))
        if asked.end < asked.start:
            raise GatekeeperError("GK100", "--to lies before --from.")
        bring_up_to_date(store, settings.data, now=now())
        formats = (form,) if form else ("html", "csv")
        made = write_report(store, asked, Path(out), formats=formats, now=now())
    count = len(made.rows)
    if as_json:
        members = {"from": instant(asked.start), "to": instant(asked.end), "approvals": count}
        print_json(
            {**members, "exceptions": sum(bool(row.exceptions) for row in made.rows), "signed": made.size}
        )
        return
    say(f"{count} approvals are told in {out}, from the log's first {made.size} entries")
    hint(f"Next: gatekeeper service audit verify {out}")


@commands.command("export")
@examples("audit export > log.jsonl", "audit export --format ocsf --from 2026-01-01 --to 2026-02-01")
def export(
    *,
    form: Annotated[
        str, typer.Option("--format", metavar="jsonl|ocsf", help="The form of a line.")
    ] = "jsonl",
    start: Annotated[str, typer.Option("--from", metavar="T", help="From this moment (UTC).")] = "",
    end: Annotated[str, typer.Option("--to", metavar="T", help="To this moment, not included.")] = "",
    data: Data = "",
) -> None:
    """Write the log to stdout, a line for each entry: JSON Lines, or events of OCSF."""
    if form not in ("jsonl", "ocsf"):
        raise GatekeeperError("GK100", "--format is jsonl or ocsf.")
    with opened(data) as (settings, store):
        from gatekeeper.service.audit.export import export_lines
        from gatekeeper.service.operate.audit import bring_up_to_date

        span = (_moment(start) if start else 0, _moment(end) if end else _FOREVER)
        bring_up_to_date(store, settings.data, now=now())
        with store.read() as tx:
            for line in export_lines(tx, form=form, start=span[0], end=span[1]):
                sys.stdout.write(line.decode("utf-8"))
            sys.stdout.flush()


@commands.command("erase")
@examples("audit erase ada@acme.example --yes")
def erase(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="Whose name and words are to go.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="It can't be undone, and that is understood.")] = False,
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Forget a person: approvals end, name and words go; the log stays whole, with an id that names nobody."""
    if not yes:
        raise GatekeeperError("GK100", "Erasing can't be undone.", remedy="say --yes as well")
    with opened(data) as (_, store):
        from gatekeeper.service.operate.erase import erase_subject

        remains = erase_subject(store, subject, now=now())
    if as_json:
        print_json({"subject": remains})
    else:
        say(f"Erased. The log keeps {remains}, which names nobody any more.")
        hint("Copies and backups that were made before still hold the name.")


def _moment(text: str) -> int:
    """Read a date or an RFC 3339 instant as UTC. Raises `GatekeeperError` GK100."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise GatekeeperError(
            "GK100", f"{text} is no time; 2026-06-30 and 2026-06-30T12:00:00Z are."
        ) from error
    return int((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp())


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GatekeeperError("GK101", f"{file} can't be read: {error}") from error
