"""The numbers of the overview, read from requests, grants and the audit log. Weeks begin on Monday, days at 0:00, UTC."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from statistics import median

from sqlalchemy import Connection, func, select

from gatekeeper.service.store.tables.access import grants, requests
from gatekeeper.service.store.tables.people import devices, subjects
from gatekeeper.service.web.console.plots import Plot, Series, columns, rows

_DAY = 86_400
_WEEK = 7 * _DAY
_MONDAY = 4 * _DAY  # the Monday after 1 January 1970, a Thursday
WEEKS = 12
DAYS = 30
_MOST_ROWS = 8
_MOST_TEAMS = 3


def glance(tx: Connection, *, now: int) -> list[tuple[str, str, str]]:
    """Return the figures at the top: name, number, and what it is out of."""
    standing = (grants.c.state == "active") & (grants.c.ends_at > now)
    pending = requests.c.state.in_(("pending", "question"))
    seen = (devices.c.state == "active") & (devices.c.seen_at > now - 7 * _DAY)

    def number(table: object, condition: object) -> int:
        found: int = tx.execute(select(func.count()).select_from(table).where(condition)).scalar_one()  # type: ignore[arg-type]
        return found

    people = tx.execute(select(func.count(func.distinct(grants.c.subject))).where(standing)).scalar_one()
    return [
        ("Requests waiting", str(number(requests, pending)), ""),
        ("Grants in force", str(number(grants, standing)), f"for {people} people"),
        ("On a waiting list", str(number(grants, grants.c.state == "waitlisted")), ""),
        (
            "Devices seen this week",
            str(number(devices, seen)),
            f"of {number(devices, devices.c.state == 'active')}",
        ),
    ]


def requests_by_week(tx: Connection, *, now: int) -> Plot:
    """Plot how many requests came each week, and how long the decided ones of them waited (median, hours)."""
    first = _week_of(now) - (WEEKS - 1) * _WEEK
    wanted = select(requests.c.created_at, requests.c.decided_at, requests.c.state)
    waits: dict[int, list[int]] = {}
    asked: Counter[int] = Counter()
    for row in tx.execute(wanted.where(requests.c.created_at >= first)):
        week = _week_of(row.created_at)
        asked[week] += 1
        if row.state in ("approved", "denied") and row.decided_at is not None:
            waits.setdefault(week, []).append(row.decided_at - row.created_at)
    weeks = [first + number * _WEEK for number in range(WEEKS)]
    labels = tuple(f"{datetime.fromtimestamp(week, UTC):%-d %b}" for week in weeks)
    bars = Series(name="Requests", values=tuple(asked[week] for week in weeks))
    line = Series(
        name="Median wait",
        values=tuple(median(waits[week]) / 3600 if week in waits else None for week in weeks),
        unit="h",
    )
    return Plot(
        id="requests",
        title="Requests and how long they wait",
        words=f"The last {WEEKS} weeks",
        label="Week of",
        labels=labels,
        series=(bars, line),
        svg=columns(labels, bars, line, title="Requests a week, and their median wait in hours"),
        legend=(("key-1", "requests"), ("key-line", "median wait, hours")),
    )


def grants_by_team(tx: Connection, *, now: int) -> Plot:
    """Plot the grants in force by tool and team. Somebody in several groups counts for the first by name."""
    standing = (grants.c.state == "active") & (grants.c.ends_at > now)
    wanted = select(grants.c.tool, subjects.c.groups).join(subjects, subjects.c.id == grants.c.subject)
    counted: Counter[tuple[str, str]] = Counter()
    for tool, groups in tx.execute(wanted.where(standing)):
        counted[tool, min(groups) if groups else "no group"] += 1
    tools, teams = Counter[str](), Counter[str]()
    for (tool, team), number in counted.items():
        tools[tool] += number
        teams[team] += number
    labels = tuple(tool for tool, _ in tools.most_common(_MOST_ROWS))
    named = [
        team for team, _ in teams.most_common(_MOST_TEAMS if len(teams) <= _MOST_TEAMS else _MOST_TEAMS - 1)
    ]
    series = [Series(name=team, values=tuple(counted[tool, team] for tool in labels)) for team in named]
    if len(teams) > len(named):
        rest = tuple(tools[tool] - sum(counted[tool, team] for team in named) for tool in labels)
        series.append(Series(name="other teams", values=rest))
    return Plot(
        id="grants",
        title="Grants by tool and team",
        words="In force now",
        label="Tool",
        labels=labels,
        series=tuple(series),
        svg=rows(labels, series, title="Grants in force, by tool and team"),
        legend=tuple((f"key-{number + 1}", one.name) for number, one in enumerate(series)),
    )


def days_until(now: int) -> list[int]:
    """Return the beginnings of the last `DAYS` days, today's last."""
    today = now - now % _DAY
    return [today - number * _DAY for number in reversed(range(DAYS))]


def by_day(counted: dict[int, int], *, now: int) -> Plot:
    """Plot launch tokens by day, given how many each day had."""
    days = days_until(now)
    labels = tuple(f"{datetime.fromtimestamp(day, UTC):%-d %b}" for day in days)
    bars = Series(name="Launch tokens", values=tuple(counted.get(day, 0) for day in days))
    return Plot(
        id="launches",
        title="Launch tokens by day",
        words=f"The last {DAYS} days, renewals included",
        label="Day",
        labels=labels,
        series=(bars,),
        svg=columns(labels, bars, None, title="Launch tokens a day"),
    )


def by_code(counted: dict[str, int]) -> Plot:
    """Plot refusals by code, given how many each code had."""
    ordered = sorted(counted.items(), key=lambda one: (-one[1], one[0]))[:_MOST_ROWS]
    labels = tuple(code for code, _ in ordered)
    series = (Series(name="Refusals", values=tuple(number for _, number in ordered)),)
    return Plot(
        id="refusals",
        title="Refusals by code",
        words=f"The last {DAYS} days",
        label="Code",
        labels=labels,
        series=series,
        svg=rows(labels, series, title="Refusals by code"),
    )


def _week_of(at: int) -> int:
    return at - (at - _MONDAY) % _WEEK
