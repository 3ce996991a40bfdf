"""What a changed policy would mean for people, as words and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.cli.formats.text import say
from gatekeeper.cli.service.made import hint

if TYPE_CHECKING:
    from gatekeeper.service.policy.diff import Diff

_SHOWN = 20


def diff_members(found: Diff) -> dict[str, object]:
    """Return a diff as members of a JSON object."""
    return {
        "changes": [{"key": one.key, "was": one.was, "becomes": one.becomes} for one in found.changes],
        "lost": [
            {
                "grant": one.grant,
                "subject": one.subject,
                "tool": one.tool,
                "zones": list(one.zones),
                "ends": one.nothing_left,
                "rule": one.rule,
                "reason": one.reason or None,
            }
            for one in found.lost
        ],
        "newly_asking": [
            {"subject": one.subject, "tool": one.tool, "may_ask": one.may_ask} for one in found.newly_asking
        ],
    }


def print_diff(found: Diff, *, stream_is_result: bool = True) -> None:
    """Print a diff for people: on stdout where it is the result, else as a hint."""
    out = say if stream_is_result else hint
    for change in found.changes:
        # Whole files and lists are long; what matters is that they changed.
        short = len(change.was) + len(change.becomes) <= 100 and "\n" not in change.was + change.becomes
        out(
            f"{change.key}: {change.was or '-'} -> {change.becomes or '-'}"
            if short
            else f"{change.key}: changed"
        )
    for lost in found.lost[:_SHOWN]:
        what = "launches nothing any more" if lost.nothing_left else f"loses {', '.join(lost.zones)}"
        out(f"{lost.grant} of {lost.subject} for {lost.tool} {what}: {lost.reason} [{lost.rule}]")
    for asking in found.newly_asking[:_SHOWN]:
        what = "newly needs an approval for" if asking.may_ask else "can't have any more:"
        out(f"{asking.subject} {what} {asking.tool}")
    for rows in (found.lost, found.newly_asking):
        if len(rows) > _SHOWN:
            out(f"… and {len(rows) - _SHOWN} more; --json has them all.")
    if not found.changes:
        out("Nothing changes.")
    hint(
        f"{len(found.lost)} approvals would launch less, {len(found.newly_asking)} people and tools newly need an approval."
    )
