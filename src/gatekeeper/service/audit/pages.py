"""A report as people read it: an HTML page that needs nothing else, or a CSV file. Rendered from evidence alone."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from gatekeeper.service.audit.names import hash_of_actor

if TYPE_CHECKING:
    from gatekeeper.service.audit.evidence import Evidence
    from gatekeeper.service.audit.report import Row

_COLUMNS = (
    "grant",
    "subject",
    "tool",
    "zones",
    "from",
    "until",
    "ended",
    "request",
    "decided by",
    "policy",
    "terms",
    "exceptions",
    "entries",
)
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 90rem; margin: 2rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { max-width: 60rem; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .7rem; border-bottom: 1px solid var(--line); }
th { position: sticky; top: 0; background: Canvas; white-space: nowrap; }
td { overflow-wrap: anywhere; } tr.exception { background: var(--soft); }
code, pre { font: .85rem/1.4 ui-monospace, monospace; } pre { overflow-x: auto; padding: 1rem; background: var(--soft); }
"""


def render_csv(evidence: Evidence) -> bytes:
    """Render the rows as CSV (RFC 4180), no cell of which a spreadsheet takes for a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for row in evidence.rows:
        writer.writerow([_harmless(cell) for cell in _cells(row, evidence.names)])
    return out.getvalue().encode("utf-8")


def render_html(evidence: Evidence) -> bytes:
    """Render the page. It has no scripts and loads nothing."""
    asked, exceptions = evidence.asked, [row for row in evidence.rows if row.exceptions]
    when = (
        f"as of {_time(asked.start)}"
        if asked.start == asked.end
        else f"from {_time(asked.start)} to {_time(asked.end)}"
    )
    people = len({row.subject for row in evidence.rows})
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Who could use what, {escape(when)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Who could use what, {escape(when)}</h1>",
        f"<p>{len(evidence.rows)} approvals of {people} people and workloads; {len(exceptions)} with an exception. "
        f"Made {_time(evidence.made_at)} from the first {evidence.size} entries of the audit log.</p>",
        "<h2>Exceptions</h2>",
        "<p>Break-glass: used at once, reviewed afterwards. Operator's hand: decided on the service's own machine, "
        "not by a person's step-up.</p>",
        _table(exceptions, evidence),
        "<h2>All approvals</h2>",
        "<p>A zone is a set of repositories that the policy of that version names; <code>none</code> is outside every "
        "zone. Times are UTC.</p>",
        _table(list(evidence.rows), evidence),
        "<h2>How to check this</h2>",
        "<p>Every line follows from entries of the log (last column). <code>evidence.json</code> beside this page has "
        "them, the proof that each stands in the log, and the signed head below. "
        "<code>gatekeeper service audit verify FOLDER --root-key PIN</code> checks all of it without the service, with "
        "the <code>trust_roots</code> that the workstations have. That nothing was left out is checked against "
        "the log itself: add <code>--data DIR</code>.</p>",
        f"<pre>{escape(evidence.note)}</pre>",
        "</body></html>\n",
    ]
    return "\n".join(parts).encode("utf-8")


def _table(rows: list[Row], evidence: Evidence) -> str:
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th scope='col'>{column}</th>" for column in _COLUMNS)
    lines = []
    for row in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in _cells(row, evidence.names))
        lines.append(f"<tr{' class=exception' if row.exceptions else ''}>{cells}</tr>")
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"


def _cells(row: Row, names: dict[str, str]) -> list[str]:
    ended = f"{row.ended} by {_named(row.ended_by, names)}" if row.ended else ""
    return [
        row.grant,
        _named(row.subject, names),
        row.tool,
        " ".join(row.zones),
        _time(row.start),
        _time(row.end),
        ended,
        row.request,
        "; ".join(_named(actor, names) for actor in row.decided_by) or "policy",
        str(row.policy),
        str(row.terms) if row.terms else "",
        "; ".join(row.exceptions),
        " ".join(map(str, row.leaves)),
    ]


def _named(actor: str, names: dict[str, str]) -> str:
    """Return who it was, by name where one is still known, else by id."""
    known = names.get(hash_of_actor(actor))
    if known is not None:
        return f"{known} ({actor.partition(':')[0]})"
    return f"{names[actor]} ({actor})" if actor in names else actor


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell[:1] in tuple("=+-@\t\r") else cell


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
