"""The overview: the figures at a glance, and plots whose numbers are also a table and a CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from starlette.responses import Response

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.web.console.events_seen import refusals_by_code, tokens_by_day
from gatekeeper.service.web.console.figures import (
    by_code,
    by_day,
    days_until,
    glance,
    grants_by_team,
    requests_by_week,
)
from gatekeeper.service.web.console.render import HEADERS, render_page

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gatekeeper.service.web.console.page_calls import PageCall
    from gatekeeper.service.web.console.plots import Plot


async def show(call: PageCall) -> Response:
    """Show every plot."""
    figures, plots = await call.service.turns.read(
        lambda tx: (glance(tx, now=call.now), _plots(tx, call.now))
    )
    return render_page(call, "overview.html", title="Overview", figures=figures, plots=plots)


async def numbers(call: PageCall) -> Response:
    """Answer with a plot's numbers as CSV (RFC 4180).

    Raises:
        GatekeeperError: GK409, there is no such plot.
    """
    wanted = str(call.request.path_params["plot"])
    plots = await call.service.turns.read(lambda tx: _plots(tx, call.now))
    plot = next((one for one in plots if one.id == wanted), None)
    if plot is None:
        raise GatekeeperError("GK409", "There is no such plot.")
    out = io.StringIO()
    written = csv.writer(out)
    written.writerow(
        [plot.label, *(_inert(f"{one.name} ({one.unit})" if one.unit else one.name) for one in plot.series)]
    )
    for at, label in enumerate(plot.labels):
        values = [one.values[at] for one in plot.series]
        written.writerow([_inert(label), *("" if value is None else round(value, 2) for value in values)])
    return Response(
        out.getvalue(),
        media_type="text/csv",
        headers={**HEADERS, "content-disposition": f'attachment; filename="gatekeeper-{plot.id}.csv"'},
    )


def _plots(tx: Connection, now: int) -> list[Plot]:
    since = days_until(now)[0]
    return [
        requests_by_week(tx, now=now),
        grants_by_team(tx, now=now),
        by_day(tokens_by_day(tx, since=since), now=now),
        by_code(refusals_by_code(tx, since=since)),
    ]


def _inert(cell: str) -> str:
    """Keep a spreadsheet from computing what somebody called a group or a tool."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
