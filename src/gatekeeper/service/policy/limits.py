"""What a tool or zone may set about its approvals: who reviews, terms, escalation, seats. Typed values and readers.

The readers note what is wrong in the section's problems and go on with a harmless value, so that everything
wrong with a file is said at once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from gatekeeper.service.policy.reading import Section
from gatekeeper.values import Value

MANAGER = "manager"
_GROUP = "group:"
_TERMS_FILE = re.compile(r"terms/[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_REVIEWS_HINT = 'Write ["group:NAME"] or ["manager"].'


class ReviewEntry(Value):
    """`needed` different people, each from one of `sources`: `group:NAME` or `manager`."""

    sources: tuple[str, ...]
    needed: int


class Terms(Value):
    """What a person accepts before a tool is theirs; `sha256` is the lower-case digest of the text in UTF-8."""

    version: int
    text: str
    sha256: str


class Escalation(Value):
    """After how many seconds without an answer a request also goes to whom (sources as in a review entry)."""

    after_for: int
    to: tuple[str, ...]


def read_reviews(section: Section, default: tuple[ReviewEntry, ...] = ()) -> tuple[ReviewEntry, ...]:
    """Return the entries of `reviews`, all of which must be met; `default` where the section has none."""
    if "reviews" not in section.values:
        return default
    entries = section.values["reviews"]
    if not isinstance(entries, list):
        section.add("reviews", "must be a list of tables")
        return default
    read = []
    for item in entries:
        entry = Section(item, (*section.path, "reviews"), section.problems)
        entry.check_keys(("from", "needed"))
        read.append(
            ReviewEntry(sources=_sources(entry, "from"), needed=entry.count("needed", 1, low=1, high=10))
        )
    return merge_entries(tuple(read))


def merge_entries(entries: tuple[ReviewEntry, ...]) -> tuple[ReviewEntry, ...]:
    """Merge entries that ask the same sources: the larger number is what both want."""
    needed: dict[tuple[str, ...], int] = {}
    for entry in entries:
        needed[entry.sources] = max(entry.needed, needed.get(entry.sources, 0))
    return tuple(ReviewEntry(sources=sources, needed=number) for sources, number in needed.items())


def read_escalation(section: Section, default: Escalation | None = None) -> Escalation | None:
    """Return `escalate`."""
    if "escalate" not in section.values:
        return default
    escalate = section.child("escalate")
    escalate.check_keys(("after", "to"))
    if "after" not in escalate.values:
        escalate.add("after", "is missing", 'Write after = "8h".')
    return Escalation(after_for=escalate.duration("after", 8 * 3600), to=_sources(escalate, "to"))


def read_terms(section: Section, texts: Mapping[str, str] | None) -> Terms | None:
    """Return `terms` with its text out of `texts`, by file; None there where the folder isn't at hand."""
    if "terms" not in section.values:
        return None
    terms = section.child("terms")
    terms.check_keys(("file", "version"))
    if "version" not in terms.values:
        terms.add("version", "is missing", "Write version = 1, and raise it to ask everybody again.")
    file = terms.text("file")
    if not _TERMS_FILE.fullmatch(file):
        terms.add("file", "is no file in the folder terms", 'Write file = "terms/NAME.md".')
        return None
    text = (texts or {}).get(file, "")
    if not text.strip():
        terms.add("file", f"{file} is missing or empty", "Put it beside catalogue.toml.")
    return Terms(
        version=terms.count("version", 1, low=1, high=1_000_000),
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def read_seats(section: Section) -> tuple[int | None, int | None]:
    """Return `seats` and, in seconds, `unused_after`; None each where the section has none."""
    seats = section.count("seats", 1, low=1, high=1_000_000) if "seats" in section.values else None
    if "unused_after" not in section.values:
        return seats, None
    if seats is None:
        section.add(
            "unused_after", "says when an unused seat falls free, but there are no seats", "Set seats."
        )
    return seats, section.duration("unused_after", 21 * 86_400)


def _sources(section: Section, key: str) -> tuple[str, ...]:
    sources = section.texts(key)
    if not sources or not all(
        s == MANAGER or (s.startswith(_GROUP) and len(s) > len(_GROUP)) for s in sources
    ):
        section.add(key, "must name groups or the manager", _REVIEWS_HINT)
    return sources
