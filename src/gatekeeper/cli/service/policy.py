"""`service policy …`: the organisation's policy as a folder: tried, compared, applied, and its versions."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatekeeper.cli.formats.json import instant, print_json
from gatekeeper.cli.formats.text import is_terminal, print_table, say
from gatekeeper.cli.moments import render_moment
from gatekeeper.cli.options import Json
from gatekeeper.cli.service.made import Data, examples, hint, now, opened, require_packages
from gatekeeper.cli.service.policy_diff import diff_members, print_diff
from gatekeeper.codes import CODES
from gatekeeper.errors import GatekeeperError

if TYPE_CHECKING:
    from gatekeeper.service.operate.policy import Shown
    from gatekeeper.service.policy.files import PolicyFiles

commands = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Folder = Annotated[
    str, typer.Argument(metavar="DIR", help="The policy's folder, with catalogue.toml.", show_default=False)
]
Version = Annotated[
    int | None,
    typer.Option("--version", metavar="N", min=1, help="A version that was applied.", show_default=False),
]


@commands.command("lint")
@examples("policy lint ./policy", "policy lint ./policy --strict")
def policy_lint(
    folder: Folder,
    *,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail for hints as well, as in a pipeline.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Find what is wrong with a policy folder: each problem with file, line and a hint. Needs no service."""
    files = _load(folder)
    from gatekeeper.service.operate.policy import lint_folder

    linted = lint_folder(files)
    if as_json:
        print_json({"problems": list(linted.problems), "hints": list(linted.hints)})
    else:
        for problem in linted.problems:
            say(problem)
        for found in linted.hints:
            say(f"{found} (hint)")
        if not linted.problems:
            hint("No problem was found.")
    return CODES["GK101"].check_exit if linted.problems or (strict and linted.hints) else 0


@commands.command("test")
@examples("policy test ./policy")
def policy_test(folder: Folder, *, as_json: Json = False) -> int:
    """Run a folder's expect.toml against its rules. Needs no service."""
    files = _load(folder)
    from gatekeeper.service.operate.policy import test_folder
    from gatekeeper.service.policy.expect import render_failure

    count, failed = test_folder(files, now=now())
    if as_json:
        print_json({"expectations": count, "failures": [render_failure(one) for one in failed]})
    else:
        for one in failed:
            say(render_failure(one))
        hint(f"{count - len(failed)} of {count} expectations are met.")
    return CODES["GK101"].check_exit if failed else 0


@commands.command("diff")
@examples("policy diff ./policy", "policy diff ./policy --json")
def policy_diff(folder: Folder, *, data: Data = "", as_json: Json = False) -> None:
    """Show what applying a folder would change: the catalogue, whose approvals end, who newly needs one."""
    files = _load(folder)
    with opened(data) as (_, store):
        from gatekeeper.service.operate.policy import diff_folder

        found = diff_folder(store, files, now=now())
    if as_json:
        print_json(diff_members(found))
    else:
        print_diff(found)


@commands.command("replay")
@examples("policy replay ./policy", "policy replay ./policy --days 30")
def policy_replay(
    folder: Folder,
    *,
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=1, max=3650, help="How far back requests are taken.")
    ] = 90,
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Show what a folder would have answered to past requests, and where it contradicts the reviewers."""
    files = _load(folder)
    with opened(data) as (_, store):
        from gatekeeper.service.operate.policy import replay_folder

        answers = replay_folder(store, files, days=days, now=now())
    members = [
        {
            "request": one.asked.id,
            "subject": one.asked.subject.name,
            "tool": one.asked.tool,
            "zones": list(one.asked.zones),
            "state": one.asked.state,
            "decided_by": one.asked.by or None,
            "answer": one.answer,
            "rule": one.rule,
            "reason": one.reason or None,
            "contradicts": one.contradicts,
        }
        for one in answers
    ]
    if as_json:
        print_json({"answers": members})
        return
    if members:
        print_table(
            ("REQUEST", "SUBJECT", "TOOL", "ZONES", "WAS", "POLICY", "RULE", ""),
            [
                (
                    one.asked.id,
                    one.asked.subject.name,
                    one.asked.tool,
                    ", ".join(one.asked.zones),
                    one.asked.state,
                    one.answer,
                    one.rule,
                    "contradicts" if one.contradicts else "",
                )
                for one in answers
            ],
        )
    against = sum(one.contradicts for one in answers)
    hint(f"{len(answers)} requests of the last {days} days; {against} contradict what was decided.")


@commands.command("draft")
@examples("policy draft R-12 R-15 R-19", "policy draft R-12 R-15 --id AI-20")
def policy_draft(
    requests: Annotated[
        list[str], typer.Argument(metavar="R-…", help="Decided requests.", show_default=False)
    ],
    *,
    rule: Annotated[str, typer.Option("--id", metavar="ID", help="What the rule is called.")] = "AUTO-01",
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Draft a rule that approves such requests without a reviewer, with the cases that it must keep. Changes nothing."""
    with opened(data) as (_, store):
        from gatekeeper.service.operate.policy import draft_from

        draft = draft_from(store, tuple(requests), rule_id=rule)
    if as_json:
        print_json({"rule": draft.rule, "expectations": draft.expectations})
        return
    say("// for access.cedar")
    _print_text(draft.rule)
    say("")
    say("# for expect.toml")
    _print_text(draft.expectations)


@commands.command("apply")
@examples("policy apply ./policy", "policy apply ./policy --yes", "policy apply --version 3")
def policy_apply(
    folder: Annotated[
        str, typer.Argument(metavar="[DIR]", help="The policy's folder.", show_default=False)
    ] = "",
    *,
    version: Version = None,
    yes: Annotated[bool, typer.Option("--yes", help="Apply without asking.")] = False,
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Apply a folder, or a version that was applied before, as the next version: whole, or not at all."""
    if bool(folder) == (version is not None):
        raise GatekeeperError("GK100", "Name a folder, or a version with --version.")
    files = _load(folder) if folder else None
    with opened(data) as (_, store):
        from gatekeeper.service.operate import policy as operate

        at = now()
        if files is None:
            files = operate.show(store, version=version, now=at).files
        found = operate.diff_folder(store, files, now=at)
        if not as_json:
            print_diff(found, stream_is_result=False)
        if not yes and not _agreed():
            hint("Nothing was applied.")
            return
        applied = operate.apply(store, files, again=version is not None, now=now())
    if as_json:
        print_json(
            {"version": applied.version, "effective": instant(applied.effective_at), **diff_members(found)}
        )
        return
    when = (
        "" if applied.effective_at <= at else f", in force from {render_moment(applied.effective_at, now=at)}"
    )
    say(f"version {applied.version}")
    hint(f"The policy is applied{when}.")


@commands.command("show")
@examples("policy show", "policy show --list", "policy show --version 3 --output ./policy-3")
def policy_show(
    *,
    version: Version = None,
    as_list: Annotated[bool, typer.Option("--list", help="List the versions that were applied.")] = False,
    output: Annotated[
        str, typer.Option("--output", metavar="DIR", help="Write all files there.", show_default=False)
    ] = "",
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Print the catalogue.toml that is in force, or another version; with --output write the whole folder."""
    with opened(data) as (_, store):
        from gatekeeper.service.operate.policy import list_versions, show

        if as_list:
            versions: list[dict[str, object]] = [
                {
                    "version": one.version,
                    "effective": instant(one.effective_at),
                    "applied_at": instant(one.applied_at),
                    "applied_by": one.applied_by,
                }
                for one in list_versions(store)
            ]
            _print_versions(versions, as_json=as_json)
            return
        shown = show(store, version=version, now=now())
    if output:
        _write(Path(os.path.abspath(output)), shown)  # noqa: PTH100 - a link at the end stays a link
    if as_json:
        print_json(
            {
                "version": shown.version,
                "catalogue": shown.files.catalogue,
                "access": shown.files.access or None,
                "expect": shown.files.expect or None,
                "terms": dict(shown.files.terms),
            }
        )
        return
    if not output:
        _print_text(shown.files.catalogue)
    hint(f"This is version {shown.version} of the policy.")


def _load(folder: str) -> PolicyFiles:
    require_packages()
    from gatekeeper.service.policy.files import load_folder

    return load_folder(Path(folder))


def _write(folder: Path, shown: Shown) -> None:
    from gatekeeper.service.policy.files import write_folder

    try:
        write_folder(folder, shown.files)
    except OSError as error:
        raise GatekeeperError("GK106", f"{error.filename or folder}: {error.strerror}.") from error


def _print_text(text: str) -> None:
    for line in text.splitlines():
        say(line)


def _print_versions(versions: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        print_json({"versions": versions})
        return
    rows = [tuple(str(value) for value in one.values()) for one in versions]
    print_table(("VERSION", "IN FORCE FROM", "APPLIED", "BY"), rows)


def _agreed() -> bool:
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise GatekeeperError("GK100", "Nobody is there to be asked. Say --yes to apply it.")
    return bool(typer.confirm("Apply it?", default=False, err=True))
