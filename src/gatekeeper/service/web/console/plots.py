"""Plots as inline SVG, drawn from numbers. Pure. Each also gives its table, so that the picture adds no fact of its own.

No colour is named here: the classes are the stylesheet's, which knows light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from gatekeeper.values import Value

_WIDTH, _HEIGHT = 520, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 44, 14, 28
_ROW = 28
_NAMES = 112


class Series(Value):
    """One measure: its name, and a number for each label; None where there is none."""

    name: str
    values: tuple[float | None, ...]
    unit: str = ""


class Plot(Value):
    """A picture with its numbers. `labels` name the rows of the table, `series` its columns."""

    id: str
    title: str
    words: str
    label: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    svg: Markup
    legend: tuple[tuple[str, str], ...] = ()

    @property
    def empty(self) -> bool:
        """Say whether there is nothing to see."""
        return not any(value for one in self.series for value in one.values)


def columns(labels: Sequence[str], bars: Series, line: Series | None, *, title: str) -> Markup:
    """Draw one column a label, and a line over them on an axis of its own at the right."""
    top = _nice(max([value or 0 for value in bars.values] or [0]))
    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    step = inner_width / max(len(labels), 1)
    parts = [_grid(top, inner_height)]
    every = max(1, -(-len(labels) // 7))
    for at, (label, value) in enumerate(zip(labels, bars.values, strict=True)):
        height = inner_height * (value or 0) / top
        x, y = _LEFT + at * step + step * 0.18, _TOP + inner_height - height
        tip = f"{label}: {_text(value)} {bars.name.lower()}"
        parts.append(
            Markup(
                '<rect class="bar-1" x="{}" y="{}" width="{}" height="{}" rx="2"><title>{}</title></rect>'
            ).format(_n(x), _n(y), _n(step * 0.64), _n(height), tip)
        )
        if at % every == 0:
            parts.append(_label(_LEFT + (at + 0.5) * step, _HEIGHT - 9, label, "middle"))
    if line is not None:
        parts.append(_line(line, step, inner_height))
    return _svg(parts, height=_HEIGHT, title=title)


def rows(labels: Sequence[str], series: Sequence[Series], *, title: str) -> Markup:
    """Draw one bar a label, from left to right, its parts behind one another."""
    totals = [sum(one.values[at] or 0 for one in series) for at in range(len(labels))]
    top = max([*totals, 1])
    room = _WIDTH - _NAMES - _RIGHT
    parts: list[Markup] = []
    for at, label in enumerate(labels):
        y, x = at * _ROW + 4, float(_NAMES)
        parts.append(_label(_NAMES - 10, y + 14, _short(label), "end"))
        for number, one in enumerate(series):
            width = room * (one.values[at] or 0) / top
            if width:
                tip = f"{label}, {one.name}: {_text(one.values[at])}"
                parts.append(
                    Markup(
                        '<rect class="bar-{}" x="{}" y="{}" width="{}" height="18" rx="2"><title>{}</title></rect>'
                    ).format(min(number + 1, 3), _n(x), y, _n(max(width - 1, 1)), tip)
                )
            x += width
        parts.append(
            Markup('<text class="value" x="{}" y="{}">{}</text>').format(_n(x + 6), y + 13, _text(totals[at]))
        )
    return _svg(parts, height=max(len(labels), 1) * _ROW + 4, title=title)


def _grid(top: float, inner_height: int) -> Markup:
    parts: list[Markup] = []
    for part in range(5):
        y = _TOP + inner_height * part / 4
        kind = "axis" if part == 4 else "grid"
        parts.append(
            Markup('<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                kind, _LEFT, _WIDTH - _RIGHT, _n(y), _n(y)
            )
        )
        if part % 2 == 0:
            parts.append(_label(_LEFT - 8, y + 4, _text(top * (4 - part) / 4), "end"))
    return Markup("").join(parts)


def _line(line: Series, step: float, inner_height: int) -> Markup:
    top = _nice(max([value or 0 for value in line.values] or [0]))
    points = [
        (_LEFT + (at + 0.5) * step, _TOP + inner_height * (1 - value / top), value)
        for at, value in enumerate(line.values)
        if value is not None
    ]
    path = " ".join(f"{_n(x)},{_n(y)}" for x, y, _ in points)
    parts = [Markup('<polyline class="line" points="{}"/>').format(path)]
    for x, y, value in points:
        parts.append(
            Markup('<circle class="dot" cx="{}" cy="{}" r="3"><title>{}: {} {}</title></circle>').format(
                _n(x), _n(y), line.name, _text(value), line.unit
            )
        )
    for part in (0, 2):
        words = f"{_text(top * (4 - part) / 4)} {line.unit}"
        parts.append(_label(_WIDTH - _RIGHT + 8, _TOP + inner_height * part / 4 + 4, words, "start"))
    return Markup("").join(parts)


def _svg(parts: Sequence[Markup], *, height: int, title: str) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, height, title, Markup("").join(parts)
    )


def _label(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(_n(x), _n(y), anchor, text)


def _nice(highest: float) -> float:
    """Return a round number that is at least `highest`, of which a quarter is round as well where it can be."""
    for power in range(9):
        for factor in (1, 2, 4, 6, 8):
            if factor * 10**power >= highest and factor * 10**power >= 4:
                return float(factor * 10**power)
    return highest


def _text(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _short(label: str) -> str:
    return label if len(label) <= 15 else f"{label[:14]}…"
