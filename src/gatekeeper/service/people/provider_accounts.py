"""From a provider's claims to a person here. Reading claims is pure; an account is linked to one subject for good.

The account (the provider's `sub`) is who signs in; the mail address only says whom it is linked to the first time.
An address that was given to somebody new makes them no heir: its subject keeps the account that it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import Connection, insert, select, update

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.names import canonical_name
from gatekeeper.service.people.provider_tokens import not_accepted
from gatekeeper.service.people.subjects import PERSON, Subject, ensure_subject, find_subject, get_subject
from gatekeeper.service.store.tables.sign_ins import provider_accounts
from gatekeeper.values import Value

if TYPE_CHECKING:
    from gatekeeper.service.people.provider_settings import OidcSettings

_MAX_GROUPS = 1000
_MAX_VALUE_CHARS = 128


class Person(Value):
    """Who signed in, as the provider says. None keeps what is known here."""

    account: str
    name: str
    display: str
    groups: tuple[str, ...] | None
    attributes: tuple[tuple[str, str], ...] | None


def lacks_claims(settings: OidcSettings, claims: Mapping[str, object]) -> bool:
    """Say whether a claim is missing that the configuration reads, so that userinfo is worth asking."""
    names = settings.claims
    belonging = [name for name in (names.roles, names.groups) if name]
    if belonging and not any(name in claims for name in belonging):
        return True
    wanted = {
        names.name,
        names.email,
        *(claim for _, claim in settings.attributes),
        *(claim for claim, _ in settings.require),
    }
    return any(name and name not in claims for name in wanted)


def person_of(settings: OidcSettings, account: str, claims: Mapping[str, object]) -> Person:
    """Read the claims of a sign-in that holds.

    Raises:
        GatekeeperError: GK207, they don't make somebody who may sign in here; the words say what is missing.
    """
    for name, wanted in settings.require:
        if wanted not in _values(claims.get(name)):
            raise not_accepted(
                f"your account lacks what this service asks for: {name} must say {wanted}",
                remedy="Ask IT for it, then sign in again.",
            )
    email = _address(settings, claims)
    display = claims.get(settings.claims.name) if settings.claims.name else None
    attributes = None
    if settings.attributes:
        attributes = tuple(
            (attribute, found[0][:256])
            for attribute, claim in settings.attributes
            if (found := _values(claims.get(claim)))
        )
    return Person(
        account=account,
        name=email,
        display=display if isinstance(display, str) and display.isprintable() and len(display) <= 300 else "",
        groups=_groups(settings, claims),
        attributes=attributes,
    )


def link_account(tx: Connection, person: Person, *, issuer: str, now: int) -> tuple[Subject, bool]:
    """Return the subject of an account, linked if this is its first sign-in, and whether it is.

    Raises:
        GatekeeperError: GK207, the address is a workload's or belongs to another account; a group or attribute
            of the provider can't be one here.
    """
    try:
        return _linked(tx, person, issuer=issuer, now=now)
    except GatekeeperError as error:
        if error.code != "GK100":
            raise
        raise not_accepted(error.detail.rstrip(".").lower()) from error


def subject_of_account(tx: Connection, *, issuer: str, account: str) -> str:
    """Return the id of the subject that an account is linked to, "" without one."""
    of_account = (provider_accounts.c.issuer == issuer) & (provider_accounts.c.account == account)
    return tx.execute(select(provider_accounts.c.subject).where(of_account)).scalar_one_or_none() or ""


def _linked(tx: Connection, person: Person, *, issuer: str, now: int) -> tuple[Subject, bool]:
    known = subject_of_account(tx, issuer=issuer, account=person.account)
    changes = {
        "display": person.display,
        "groups": person.groups,
        "attributes": None if person.attributes is None else dict(person.attributes),
        "now": now,
    }
    if known:
        of_account = (provider_accounts.c.issuer == issuer) & (provider_accounts.c.account == person.account)
        tx.execute(update(provider_accounts).where(of_account).values(seen_at=now))
        return ensure_subject(tx, get_subject(tx, known).name, **changes), False  # type: ignore[arg-type]
    subject = find_subject(tx, person.name)
    if subject is not None and subject.kind == PERSON:
        of_subject = (provider_accounts.c.issuer == issuer) & (provider_accounts.c.subject == subject.id)
        if tx.execute(select(provider_accounts.c.account).where(of_subject)).first() is not None:
            raise not_accepted(
                f"{subject.name} belongs to another account at the provider",
                remedy="Ask IT: the address was given to somebody new, or your account was made anew.",
            )
    made = ensure_subject(tx, person.name, **changes)  # type: ignore[arg-type]
    tx.execute(
        insert(provider_accounts).values(
            issuer=issuer, account=person.account, subject=made.id, linked_at=now, seen_at=now
        )
    )
    return made, True


def _address(settings: OidcSettings, claims: Mapping[str, object]) -> str:
    claim = settings.claims.email
    email = claims.get(claim)
    if not isinstance(email, str) or not email:
        raise not_accepted(f"the provider gives no mail address (claim {claim})")
    if not settings.trust_email and claims.get("email_verified") is not True:
        raise not_accepted("the provider doesn't call your mail address verified (claim email_verified)")
    try:
        name = canonical_name(email)
    except GatekeeperError as error:
        raise not_accepted(f"your mail address can't be used: {error.detail}") from error
    local, _, domain = name.rpartition("@")
    if not local:
        raise not_accepted(f"the claim {claim} holds no mail address")
    if settings.domains and domain not in settings.domains:
        raise not_accepted(f"addresses of {domain} don't sign in here")
    return name


def _groups(settings: OidcSettings, claims: Mapping[str, object]) -> tuple[str, ...] | None:
    """Return the groups, roles first: whoever has a role of this application needs no group for it."""
    names = settings.claims
    if not names.groups and not names.roles:
        return None
    values = _values(claims.get(names.roles)) if names.roles else ()
    if not values and names.groups:
        values = _values(claims.get(names.groups))
        if not values and _is_overage(claims, names.groups):
            raise not_accepted(
                "you are in more groups than the provider puts into a token (Entra ID's groups overage)",
                remedy="IT assigns app roles, or lets the token hold only the groups assigned to the application.",
            )
    if len(values) > _MAX_GROUPS or any(len(one) > _MAX_VALUE_CHARS for one in values):
        raise not_accepted("the provider says more groups than can be used")
    mapping = dict(settings.groups)
    kept = [mapping.get(one, "" if settings.only_mapped_groups else one) for one in values]
    return tuple(sorted({one for one in kept if one}))


def _is_overage(claims: Mapping[str, object], groups: str) -> bool:
    """Say whether Entra ID left the groups out: `_claim_names` points elsewhere, or `hasgroups` stands alone."""
    elsewhere = claims.get("_claim_names")
    return (isinstance(elsewhere, dict) and groups in elsewhere) or claims.get("hasgroups") in (True, "true")


def _values(claim: object) -> tuple[str, ...]:
    """Return what a claim says, as texts: one, or a list of them. Anything else says nothing."""
    if isinstance(claim, bool):
        return ("true" if claim else "false",)
    if isinstance(claim, (str, int)):
        return (str(claim),) if str(claim) else ()
    if isinstance(claim, list):
        return tuple(one for one in claim if isinstance(one, str) and one)
    return ()
