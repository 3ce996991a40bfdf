"""Who may review what, and how far a review may go: it may narrow a request, never widen it. Pure.

Until people can step up in the console, the only way to review is the operator's hand on the service's own
machine, which meets every entry of the policy's `reviews`. Any other way is refused, not waved through.
"""

from __future__ import annotations

from gatekeeper.errors import GatekeeperError

OPERATOR = "operator"


def check_review(*, reviewer_id: str, subject_id: str, method: str) -> None:
    """Refuse a review by the subject, or by a way that proves nothing. Ids are those of canonical subjects.

    Raises:
        GatekeeperError: GK405.
    """
    if reviewer_id == subject_id:
        raise GatekeeperError("GK405", "Nobody decides about their own request or grant.")
    check_method(method)


def check_method(method: str) -> None:
    """Refuse an act by a way that proves nothing.

    Raises:
        GatekeeperError: GK405.
    """
    if method != OPERATOR:
        raise GatekeeperError("GK405", "Reviews are made by the operator, on the service's own machine.")


def narrow_duration(*, asked_for: int, given_for: int | None, max_for: int) -> int:
    """Return for how many seconds a grant stands. None gives what was asked, as far as today's policy allows.

    Raises:
        GatekeeperError: GK410, longer than asked or than policy allows, or no time at all.
    """
    longest = min(asked_for, max_for)
    if given_for is None:
        return longest
    if given_for <= 0:
        raise GatekeeperError("GK410", "A grant needs a duration.")
    if given_for > longest:
        raise GatekeeperError("GK410", "A review may shorten a request, never lengthen it.")
    return given_for


def narrow_zones(*, asked: tuple[str, ...], given: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the sorted zones of a grant. None gives what was asked.

    Raises:
        GatekeeperError: GK410, a zone that was not asked for, or no zone at all.
    """
    if given is None:
        return tuple(sorted(set(asked)))
    if not given:
        raise GatekeeperError("GK410", 'A grant needs a zone; "none" is outside every zone.')
    for zone in given:
        if zone not in asked:
            raise GatekeeperError("GK410", f"The zone {zone!r} was not asked for.")
    return tuple(sorted(set(given)))
