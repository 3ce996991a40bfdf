"""What a name may hold: names stand in messages, logs and other people's terminals.

Control characters, invisible ones and those that turn the writing direction are refused, for they make one
text look like another. Nothing is cleaned silently: what is stored is what was given. Free text (reasons)
is stored as it is; whoever shows it escapes it.

Letters that merely resemble others (Cyrillic in a name without a domain) are told apart, not refused.
"""

from __future__ import annotations

import re
import unicodedata

from gatekeeper.errors import GatekeeperError

# Default_Ignorable_Code_Point (DerivedCoreProperties.txt, Unicode 16), which `unicodedata` doesn't know: shown as
# nothing, though many are letters or marks by category. And U+2800, a Braille pattern without a dot.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_DOMAIN = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def canonical_name(text: str) -> str:
    """Return the one spelling of a subject's name: NFKC, case folded, single spaces. Hostile input.

    Two spellings of one mail address are one subject, or people could approve themselves: an ideographic
    full stop is a dot, and a domain is the same with its final dot and without. Names with "@" hold no space.

    Raises:
        GatekeeperError: GK100, empty, longer than 300 characters, with control or invisible characters, or
            with "@" and then no domain in ASCII.
    """
    if len(text) > 1000:
        raise GatekeeperError("GK100", "The subject is longer than 300 characters.")
    folded = text
    for _ in range(2):  # once is not always enough: folding may undo the normal form, and the other way round
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).casefold())
    folded = re.sub(" +", " ", folded.replace("\u3002", ".")).strip()
    at = folded.rfind("@")
    if at >= 0:
        folded = folded[: at + 1] + folded[at + 1 :].rstrip(".")
    check_name(folded, what="subject", max_chars=300)
    if at >= 0:
        _check_address(folded[:at], folded[at + 1 :])
    return folded


def check_name(text: str, *, what: str, max_chars: int) -> str:
    """Return `text` where it may be a name of `what` (for the message). Hostile input.

    Raises:
        GatekeeperError: GK100, empty, too long, or with control or invisible characters.
    """
    if not text.strip():
        raise GatekeeperError("GK100", f"The {what} is empty.")
    if len(text) > max_chars:
        raise GatekeeperError("GK100", f"The {what} is longer than {max_chars} characters.")
    unseen = any(unicodedata.category(c)[0] == "C" or unicodedata.category(c) in {"Zl", "Zp"} for c in text)
    if unseen or _INVISIBLE.search(text):
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
    return len(" ".join(_INVISIBLE.sub("", seen).split()))


def _check_address(local: str, domain: str) -> None:
    """Refuse a mail address of which another spelling would look the same or reach the same mailbox."""
    if not domain.isascii():
        raise GatekeeperError(
            "GK100",
            "The subject's domain holds letters beyond ASCII. Write it as DNS does (xn--…).",
        )
    if not _DOMAIN.fullmatch(domain) or any(c.isspace() for c in local):
        raise GatekeeperError("GK100", 'The subject has "@" but is no mail address.')
