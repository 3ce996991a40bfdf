"""What a name may hold: names stand in messages, logs and other people's terminals.

Control characters, invisible ones and those that turn the writing direction are refused, for they make one
text look like another. Nothing is cleaned silently: what is stored is what was given. Free text (reasons)
is stored as it is; whoever shows it escapes it.
"""

from __future__ import annotations

import unicodedata

from gatekeeper.errors import GatekeeperError


def canonical_name(text: str) -> str:
    """Return the one spelling of a subject's name: NFKC, case folded, without surrounding space. Hostile input.

    Two spellings of one mail address are one subject, or people could approve themselves.

    Raises:
        GatekeeperError: GK100, empty, longer than 300 characters, or with control or invisible characters.
    """
    folded = text[:1000]
    for _ in range(2):  # once is not always enough: folding may undo the normal form, and the other way round
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).casefold())
    return check_name(folded.strip(), what="subject", max_chars=300)


def check_name(text: str, *, what: str, max_chars: int) -> str:
    """Return `text` where it may be a name of `what` (for the message). Hostile input.

    Raises:
        GatekeeperError: GK100, empty, too long, or with control or invisible characters.
    """
    if not text.strip():
        raise GatekeeperError("GK100", f"The {what} is empty.")
    if len(text) > max_chars:
        raise GatekeeperError("GK100", f"The {what} is longer than {max_chars} characters.")
    if any(unicodedata.category(c)[0] == "C" or unicodedata.category(c) in {"Zl", "Zp"} for c in text):
        raise GatekeeperError("GK100", f"The {what} holds control or invisible characters.")
    return text


def check_free_text(text: str, *, what: str) -> str:
    """Return what people wrote, as it is. Hostile input: whoever shows it escapes it.

    Raises:
        GatekeeperError: GK410, longer than 4000 characters; GK100, it can't be stored as text at all.
    """
    if len(text) > 4000:
        raise GatekeeperError("GK410", f"The {what} is longer than 4000 characters.")
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise GatekeeperError("GK100", f"The {what} holds what is no text.")
    return text


def visible_length(text: str) -> int:
    """Count what a reader sees: runs of space as one, control and invisible characters not at all."""
    seen = "".join(c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return len(" ".join(seen.split()))
