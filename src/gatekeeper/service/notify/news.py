"""What a message says: which kinds there are, for whom each is, and the words and facts of one.

Everything in `News` but the address of the page may have been written by somebody hostile: a target shows it as
text, never as markup. No target gets anything by which a request could be decided.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from gatekeeper.values import Value

# What asks people to look at something that waits.
ASKS = (
    "request.created",
    "request.answered",
    "request.escalated",
    "break_glass.used",
    "break_glass.escalated",
)
# What tells the person whom it is about how it went.
TELLS = (
    "request.question",
    "request.approved",
    "request.denied",
    "request.lapsed",
    "grant.created",
    "grant.activated",
    "grant.suspended",
    "grant.resumed",
    "grant.revoked",
    "grant.ended",
    "grant.expired",
    "grant.unused",
)
KINDS = (*ASKS, *TELLS, "request.reviewed", "request.cancelled", "grant.waitlisted")
_MOST_CHARS = 1000


class News(Value):
    """One message as it is written out. `at` is when it happened, in Unix seconds; `id` is the same each time.

    `facts` are label and text, `words` what a person wrote ("" for nothing), `url` the console's page. `data` is
    the same for programs, in JSON types. `to` is the recipient's mail address, "" where the target is one place.
    """

    id: str
    kind: str
    at: int
    title: str
    facts: tuple[tuple[str, str], ...]
    words: str
    url: str
    data: Mapping[str, object]
    to: str = ""


def shown(text: str, *, most: int = _MOST_CHARS, lines: bool = False) -> str:
    """Return hostile text as it may be shown: cut, without what is invisible or turns the direction of writing.

    Line breaks stay with `lines`, else they become spaces.
    """
    cleaned = "".join(_seen(c, lines=lines) for c in text.replace("\r\n", "\n")).strip()
    return cleaned if len(cleaned) <= most else cleaned[: most - 1] + "…"


def _seen(c: str, *, lines: bool) -> str:
    if c.isspace() or unicodedata.category(c) in {"Zl", "Zp"}:
        return "\n" if lines and c == "\n" else " "
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(c)[0] == "C" else c
