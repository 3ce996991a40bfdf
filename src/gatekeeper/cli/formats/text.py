"""Text for people: notices, tables, a spinner. The only importer of rich, and only for a table on a terminal.

Whatever comes from the service, from a file or from another person may hold escape sequences or bidirectional
overrides that rewrite a terminal: `neutral` makes them visible, and everything that is printed passes through it.
`NO_COLOR`, `FORCE_COLOR` and `TERM=dumb` are honoured; glyphs fall back to ASCII where a stream isn't UTF-8.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager

from gatekeeper.codes import PENDING, SIGN_IN, UNDETERMINED
from gatekeeper.errors import GatekeeperError
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from threading import Event
    from typing import TextIO

    from gatekeeper.decision.notice import Notice

NOTICE_LINES = 12
DO, LINK = "Do", "Or"  # as `decision.notice` labels them
COPIED = (DO, LINK)
SPINNER_AFTER = 0.4
_LABEL_COLUMNS = 7
_MAX_TEXT = 600
CROSS, TICK, PROMPT = "✗", "✓", "\u203a"
_ASCII = str.maketrans(
    {
        CROSS: "x",
        TICK: "+",
        PROMPT: ">",
        "…": "...",
        "·": "-",
        "\u2013": "-",  # dashes and quotation marks, as people type them in reasons
        "\u2014": "-",
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
    }
)
_CODES = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}


class Look(Value):
    """How a stream is written to."""

    columns: int
    unicode: bool
    colour: bool
    terminal: bool


def look_of(stream: TextIO, environment: Mapping[str, str] | None = None) -> Look:
    """Find out what a stream shows. `NO_COLOR` wins over `FORCE_COLOR`, and a dumb terminal has no colours."""
    environment = os.environ if environment is None else environment
    terminal = is_terminal(stream)
    colour = terminal and environment.get("TERM", "") != "dumb"
    if environment.get("FORCE_COLOR", "") not in ("", "0"):
        colour = True
    if environment.get("NO_COLOR"):
        colour = False
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("_", "-")
    return Look(
        columns=_columns(stream, environment, terminal=terminal),
        unicode=encoding in ("utf-8", "utf8", "utf-8-sig"),
        colour=colour,
        terminal=terminal,
    )


def is_terminal(stream: TextIO | None) -> bool:
    """Say whether a stream is a terminal. A closed or missing one isn't."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def _columns(stream: TextIO, environment: Mapping[str, str], *, terminal: bool) -> int:
    told = environment.get("COLUMNS", "")
    columns = int(told) if told.isdecimal() and len(told) < 6 else 0
    if not columns and terminal:
        try:
            columns = os.get_terminal_size(stream.fileno()).columns
        except (OSError, ValueError):
            columns = 0
    return max(20, columns or 80)


def neutral(text: str) -> str:
    """Make hostile text harmless on one line: white space becomes a space; controls and overrides become visible."""
    if text.isprintable():
        return text
    return "".join(_neutral_character(c) for c in text)


def _neutral_character(char: str) -> str:
    import unicodedata

    if char in "\n\t\r\v\f\u2028\u2029\u0085":
        return " "
    # Zero-width joiners are part of ordinary Persian and Indic spelling; every other format character is shown.
    if char.isprintable() or char in "\u200c\u200d\u00a0" or unicodedata.category(char) == "Zs":
        return char
    at = ord(char)
    return f"\\x{at:02x}" if at < 0x100 else f"\\u{at:04x}" if at < 0x10000 else f"\\U{at:08x}"


def write(stream: TextIO, text: str) -> None:
    """Write finished text. A reader that has gone is no error; a stream that can't be written is GK106."""
    encoding = getattr(stream, "encoding", None) or "ascii"
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        silence(stream)
    except (OSError, ValueError) as error:
        silence(stream)
        if stream is not sys.stderr:
            raise GatekeeperError("GK106", f"The output can't be written: {error}.") from error


def silence(stream: TextIO) -> None:
    """Lead a stream that can no longer be written to the null device, so that the exit stays quiet."""
    # Python flushes again at exit and would complain there; the descriptor is led to nowhere instead.
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        return


def say(text: str, stream: TextIO | None = None) -> None:
    """Write one neutralised line, to stdout unless told otherwise."""
    stream = stream or sys.stdout
    write(stream, f"{_fit(neutral(text), look_of(stream))}\n")


def _fit(text: str, look: Look) -> str:
    return text if look.unicode else text.translate(_ASCII)


def paint(text: str, style: str, look: Look) -> str:
    """Colour neutralised text with one or more of `_CODES`, where the stream has colours."""
    if not look.colour or not text:
        return text
    return f"\x1b[{';'.join(_CODES[name] for name in style.split())}m{text}\x1b[0m"


def print_notice(notice: Notice, stream: TextIO | None = None) -> None:
    """Print a notice, on stderr unless told otherwise."""
    stream = stream or sys.stderr
    write(stream, render_notice(notice, look_of(stream)))


def render_notice(notice: Notice, look: Look) -> str:
    """Lay a notice out in at most 12 lines. The first line, the command and the link stay whole, to be found and copied."""
    glyph, style = glyph_of(notice.kind)
    title = f"{glyph} {_clipped(notice.title)}"
    gap = max(3, min(look.columns, 78) - len(title) - len(notice.code))
    rows = list(notice.rows)
    if notice.agent_line:
        rows.append(("Agent", notice.agent_line))
    laid = [(label, _laid(label, text, look)) for label, text in rows]
    _shorten(laid, room=NOTICE_LINES - 2)
    lines = [f"{paint(_fit(title, look), f'bold {style}', look)}{' ' * gap}{notice.code}", ""]
    for label, parts in laid:
        lines += _row_lines(label, parts, look)
    return "\n".join(lines) + "\n"


def glyph_of(kind: str) -> tuple[str, str]:
    """Return the glyph that opens a line about a kind of outcome (`codes`), and its colour."""
    if kind in (SIGN_IN, UNDETERMINED):
        return "?", "yellow"
    return (PROMPT, "yellow") if kind == PENDING else (CROSS, "red")


def _laid(label: str, text: str, look: Look) -> list[str]:
    from textwrap import wrap

    if label in COPIED:
        return [_fit(neutral(text), look)]
    room = max(16, look.columns - (_LABEL_COLUMNS + 2 if label else 2))
    return wrap(_fit(_clipped(text), look), room, break_long_words=False, break_on_hyphens=False) or [""]


def _clipped(text: str) -> str:
    text = " ".join(neutral(text[:_MAX_TEXT]).split(" "))
    return text if len(text) < _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


def _shorten(laid: list[tuple[str, list[str]]], *, room: int) -> None:
    # The longest row gives way first: a reason of six hundred characters must not push the command off the screen.
    while sum(len(parts) for _, parts in laid) > room:
        longest = max((parts for _, parts in laid), key=len)
        if len(longest) == 1:
            return
        longest.pop()
        longest[-1] = f"{longest[-1].rstrip(' .')} ..."


def _row_lines(label: str, parts: Sequence[str], look: Look) -> Iterator[str]:
    bold = label == DO
    for number, part in enumerate(parts):
        shown = paint(part, "bold", look) if bold else part
        if not label:
            yield f"  {shown}"
            continue
        head = label if number == 0 else ""
        yield f"  {paint(head, 'dim', look)}{' ' * (_LABEL_COLUMNS - len(head))}{shown}"


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], stream: TextIO | None = None) -> None:
    """Print a table: through rich where the stream is a terminal or colours are forced, aligned columns elsewhere."""
    stream = stream or sys.stdout
    look = look_of(stream)
    cells = [[_fit(neutral(cell), look) for cell in row] for row in rows]
    if look.terminal or look.colour:
        _print_rich_table(columns, cells, stream, look)
    else:
        write(stream, render_plain_table(columns, cells))


def render_plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align columns with two spaces between them; one line a row, whatever its length, for grep and awk."""
    table = [list(columns), *[list(row) for row in rows]]
    widths = [max(len(row[at]) for row in table) for at in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _print_rich_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], stream: TextIO, look: Look
) -> None:
    from io import StringIO

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        # Text, not str: a reason with [red] in it is a reason, not markup.
        table.add_row(*(Text(cell, style=_STATE_STYLES.get(cell, "")) for cell in row))
    buffer = StringIO()
    console = Console(
        file=buffer,
        width=look.columns,
        force_terminal=look.colour,
        color_system="standard" if look.colour else None,
        no_color=not look.colour,
        highlight=False,
        emoji=False,
        markup=False,
        legacy_windows=False,
    )
    console.print(table)
    lines = buffer.getvalue().split("\n")
    write(stream, "\n".join(line.rstrip() for line in lines))


_STATE_STYLES = {
    "approved": "green",
    "open": "green",
    "active": "green",
    "pending": "yellow",
    "revoked": "red",
    "denied": "red",
    "closed": "red",
}


@contextmanager
def waiting(message: str, stream: TextIO | None = None, *, after: float = SPINNER_AFTER) -> Iterator[None]:
    """Show what is waited for, on a terminal alone and after `after` seconds. The line is gone afterwards, whatever happens."""
    stream = stream or sys.stderr
    look = look_of(stream)
    if not look.terminal:
        yield
        return
    import threading

    done = threading.Event()
    text = _fit(neutral(message), look)[: look.columns - 4]
    moving = os.environ.get("TERM", "") != "dumb"
    thread = threading.Thread(
        target=_spin if moving else _announce, args=(stream, text, done, after, look), daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _announce(stream: TextIO, text: str, done: Event, after: float, look: Look) -> None:
    if not done.wait(after):
        write(stream, f"{text}{_fit('…', look)}\n")


def _spin(stream: TextIO, text: str, done: Event, after: float, look: Look) -> None:
    frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if look.unicode else "|/-\\"
    if done.wait(after):
        return
    at = 0
    while not done.is_set():
        write(stream, f"\r{frames[at % len(frames)]} {text}")
        at += 1
        done.wait(0.1)
    write(stream, "\r\x1b[K")
