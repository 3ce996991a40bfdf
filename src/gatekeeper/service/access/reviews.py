"""Who may review what, how far a review may go, and when the reviews suffice. Pure.

Every entry of the policy's `reviews` must be met. One person counts for one entry only, under however many
accounts, and never for what is for themselves. The operator's hand on the service's own machine meets every
entry; a person's own review needs a step-up in the console. Any other way is refused, not waved through.
A review may narrow a request, never widen it.
"""

from __future__ import annotations

from gatekeeper.errors import GatekeeperError
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gatekeeper.service.policy.limits import ReviewEntry

OPERATOR = "operator"
STEP_UP = "step-up"
MANAGER = "manager"
_GROUP = "group:"


class Person(Value):
    """A subject as far as reviews care. `keys` are all that tell who it is: two that share one are one person.

    `manager` is a key of the manager; "" where none is known, or none who could act.
    """

    keys: frozenset[str]
    groups: tuple[str, ...] = ()
    manager: str = ""

    def is_same(self, other: Person) -> bool:
        """Say whether this is the same human, under whatever account."""
        return not self.keys.isdisjoint(other.keys)


class Approval(Value):
    """One approving review: by whom (with the groups of that moment), and how it was made."""

    by: Person
    method: str


class Case(Value):
    """What the reviews of one member's grant are measured by.

    `requester` asked for others (None where the subject asked); `stand_in` are the sources that may meet the
    `manager` entries as well, () as long as the manager is to decide.
    """

    entries: tuple[ReviewEntry, ...]
    member: Person
    requester: Person | None = None
    stand_in: tuple[str, ...] = ()


def check_method(method: str) -> None:
    """Refuse an act by a way that proves nothing.

    Raises:
        GatekeeperError: GK405.
    """
    if method not in (OPERATOR, STEP_UP):
        raise GatekeeperError(
            "GK405",
            "Deciding needs a person: a step-up in the console, or the operator on the service's machine.",
        )


def check_not_own(reviewer: Person, concerned: Iterable[Person]) -> None:
    """Refuse an act about what is the actor's own, under whatever account.

    Raises:
        GatekeeperError: GK405.
    """
    if any(reviewer.is_same(one) for one in concerned):
        raise GatekeeperError("GK405", "Nobody decides about their own request or grant.")


def may_meet(case: Case, reviewer: Person) -> bool:
    """Say whether an approval of this person would count for any entry."""
    return any(_meets(case, reviewer, entry) for entry in case.entries)


def outstanding(case: Case, approvals: Sequence[Approval]) -> tuple[ReviewEntry, ...]:
    """Return what the approvals leave of the entries, each with the number that it still needs; () is complete.

    Without any entry one approval of the operator's is needed, which no entry can say: ask `is_complete`.
    """
    if any(one.method == OPERATOR and not one.by.is_same(case.member) for one in approvals):
        return ()
    left = []
    met = _matched(case, _people(approvals))
    for place, entry in enumerate(case.entries):
        if met[place] < entry.needed:
            left.append(entry.replace(needed=entry.needed - met[place]))
    return tuple(left)


def is_complete(case: Case, approvals: Sequence[Approval]) -> bool:
    """Say whether the approvals suffice. A policy without entries leaves every decision to the operator."""
    if not case.entries:
        return any(one.method == OPERATOR and not one.by.is_same(case.member) for one in approvals)
    return not outstanding(case, approvals)


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


def _meets(case: Case, reviewer: Person, entry: ReviewEntry) -> bool:
    if reviewer.is_same(case.member):
        return False
    asks = case.requester is not None and reviewer.is_same(case.requester)
    return any(_is_of(case, reviewer, source, asks=asks) for source in entry.sources)


def _is_of(case: Case, reviewer: Person, source: str, *, asks: bool) -> bool:
    """Say whether the reviewer is of that source. Whoever `asks` for others counts as their manager alone."""
    if source == MANAGER:
        stands_in = not asks and any(_in_group(reviewer, one) for one in case.stand_in)
        return stands_in or (case.member.manager != "" and case.member.manager in reviewer.keys)
    return not asks and _in_group(reviewer, source)


def _in_group(reviewer: Person, source: str) -> bool:
    return source.startswith(_GROUP) and source.removeprefix(_GROUP) in reviewer.groups


def _people(approvals: Sequence[Approval]) -> list[Person]:
    """Gather the approvals by human: accounts that share a key, or share one with a third, are one person."""
    people: list[Person] = []
    for one in approvals:
        merged = one.by
        for other in [person for person in people if person.is_same(merged)]:
            people.remove(other)
            merged = merged.replace(keys=merged.keys | other.keys, groups=merged.groups + other.groups)
        people.append(merged)
    return people


def _matched(case: Case, people: Sequence[Person]) -> list[int]:
    """Return how many people each entry gets when as many as possible count, each for one entry (Kuhn's algorithm)."""
    slots = [place for place, entry in enumerate(case.entries) for _ in range(entry.needed)]
    holder: dict[int, int] = {}
    able = [
        {place for place, entry in enumerate(case.entries) if _meets(case, person, entry)}
        for person in people
    ]

    def find(person: int, seen: set[int]) -> bool:
        for slot, place in enumerate(slots):
            if place in able[person] and slot not in seen:
                seen.add(slot)
                if slot not in holder or find(holder[slot], seen):
                    holder[slot] = person
                    return True
        return False

    for person in range(len(people)):
        find(person, set())
    return [sum(slots[slot] == place for slot in holder) for place in range(len(case.entries))]
