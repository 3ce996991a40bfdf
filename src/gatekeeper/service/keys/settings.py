"""`[signer.…]` of service.toml: how to reach the keepers of keys that live elsewhere.

    [signer.aws-kms]
    region = "eu-central-1"
    [signer.vault]
    address = "https://vault.acme.example"
    mount = "transit"
    token_file = "vault-token"
    [signer.pkcs11]
    module = "/usr/lib/softhsm/libsofthsm2.so"
    token = "gatekeeper"
    pin_file = "hsm-pin"

Secrets stand in files of their own; a relative path is beside service.toml.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.keys.aws_kms import AwsKms
from gatekeeper.service.keys.elsewhere import AWS_KMS, PKCS11, VAULT, Keeper, Reference
from gatekeeper.service.keys.pkcs11 import Hsm
from gatekeeper.service.keys.signer import Keepers, no_keepers
from gatekeeper.service.keys.vault import Send, VaultTransit
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

_REQUIRED = {AWS_KMS: (), VAULT: ("address", "token_file"), PKCS11: ("module", "token", "pin_file")}
_OPTIONAL = {AWS_KMS: ("region", "endpoint"), VAULT: ("mount",), PKCS11: ()}
_TRANSIT = "transit"


class SignerSettings(Value):
    """The keepers that are configured: by kind, name and text of each key."""

    keepers: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()


def parse_signer(raw: object) -> SignerSettings:
    """Read `[signer]`, which may be hostile.

    Raises:
        GatekeeperError: GK101, a kind or key that isn't known, one that is missing, or a value that is no text.
    """
    if not isinstance(raw, dict):
        raise _unusable("[signer] must be a table of keepers")
    return SignerSettings(
        keepers=tuple((kind, _keeper(kind, members)) for kind, members in sorted(raw.items()))
    )


def parse_reference(text: str) -> Reference:
    """Read `KIND:NAME` as `keys rotate --key` takes it. Raises `GatekeeperError` GK101."""
    kind, colon, name = text.partition(":")
    if kind not in _REQUIRED or not colon or not name.isprintable() or not name:
        raise GatekeeperError("GK101", f"{text!r} is no KIND:NAME, KIND one of {', '.join(_REQUIRED)}.")
    return Reference(kind=kind, name=name)


def keepers_of(settings: SignerSettings, *, data: Path, send: Send) -> Keepers:
    """Return what gives the keeper of a kind, made when it is first asked for."""
    made: dict[str, Keeper] = {}
    configured = {kind: dict(members) for kind, members in settings.keepers}

    def of(kind: str) -> Keeper:
        if kind not in configured:
            return no_keepers(kind)
        if kind not in made:
            made[kind] = _make(kind, configured[kind], data=data, send=send)
        return made[kind]

    return of


def _make(kind: str, given: dict[str, str], *, data: Path, send: Send) -> Keeper:
    if kind == AWS_KMS:
        return AwsKms(region=given.get("region", ""), endpoint=given.get("endpoint", ""))
    if kind == VAULT:
        return VaultTransit(
            address=given["address"],
            mount=given.get("mount", _TRANSIT),
            token_file=data / given["token_file"],
            send=send,
        )
    return Hsm(module=Path(given["module"]), token=given["token"], pin_file=data / given["pin_file"])


def _keeper(kind: str, members: object) -> tuple[tuple[str, str], ...]:
    if kind not in _REQUIRED:
        raise _unusable(f"[signer.{kind}] is no keeper of keys{_meant(kind, _REQUIRED)}")
    if not isinstance(members, dict):
        raise _unusable(f"[signer.{kind}] must be a table")
    known = (*_REQUIRED[kind], *_OPTIONAL[kind])
    for name, value in members.items():
        if name not in known:
            raise _unusable(f"[signer.{kind}] holds {name}, which is unknown{_meant(name, known)}")
        if not isinstance(value, str) or not value.isprintable() or not value:
            raise _unusable(f"[signer.{kind}] {name} must be a text")
    missing = [name for name in _REQUIRED[kind] if name not in members]
    if missing:
        raise _unusable(f"[signer.{kind}] needs {', '.join(missing)}")
    return tuple(sorted(members.items()))


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f". Did you mean {close[0]}?" if close else ""


def _unusable(why: str) -> GatekeeperError:
    return GatekeeperError("GK101", f"{why.removesuffix('?')}{'?' if why.endswith('?') else '.'}")
