"""Keys that live elsewhere: a key service or an HSM signs, and nothing here ever sees the private half.

A file in `DIR/keys` names such a key, with its public half as it was when the key was adopted. Every signature
is verified with that half before it leaves this module, so a device that answers wrongly, or was given another
key under the same name, is an error here and not at every workstation. What signs is asked over the network or
a slot: each token then takes that long while the database's one writer waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.trust.library import verify_es256
from gatekeeper.trust.published import render_public_jwk
from gatekeeper.values import Value

if TYPE_CHECKING:
    from gatekeeper.trust.chain import PublicKey

AWS_KMS = "aws-kms"
VAULT = "vault"
PKCS11 = "pkcs11"
_PROBE = b"gatekeeper: a key that is adopted signs this once"


class Reference(Value):
    """Where a key lives: the kind of keeper, and its name there (an ARN or alias, `NAME:VERSION`, a label)."""

    kind: str
    name: str


class Keeper(Protocol):
    """A key service or an HSM. Both calls raise `GatekeeperError` GK106 where it can't be reached or refuses."""

    def public_key(self, name: str) -> PublicKey:
        """Return the public half of the key of that name; `Malformed` where it isn't one on P-256."""
        ...

    def sign(self, name: str, message: bytes) -> bytes:
        """Return r ‖ s over the SHA-256 of `message`; `Malformed` where the answer is no signature."""
        ...


class RemoteSigner:
    """A key that lives elsewhere. Raises `GatekeeperError` GK106 where it doesn't sign."""

    def __init__(self, keeper: Keeper, reference: Reference, public: PublicKey) -> None:
        self._keeper = keeper
        self._reference = reference
        self._public = public

    @property
    def kid(self) -> str:
        """The RFC 7638 thumbprint of the key."""
        return self._public.kid

    def public_jwk(self) -> dict[str, object]:
        """Return the public JWK with `kid` and `alg`."""
        return render_public_jwk(self._public)

    def sign(self, message: bytes) -> bytes:
        """Return r ‖ s, 64 bytes (RFC 7518 §3.4), verified."""
        try:
            signature = self._keeper.sign(self._reference.name, message)
        except Malformed as error:
            raise unusable(self._reference.kind, error.reason) from error
        if not verify_es256(self._public, message, signature):
            raise unusable(
                self._reference.kind,
                f"what it signed with {self._reference.name} isn't signed by the key that was adopted",
            )
        return signature


def adopt(keeper: Keeper, reference: Reference) -> RemoteSigner:
    """Ask for the public half of a key, and have it sign once.

    Raises:
        GatekeeperError: GK106, it can't be reached, isn't on P-256, or doesn't sign what its public half verifies.
    """
    try:
        public = keeper.public_key(reference.name)
    except Malformed as error:
        raise unusable(reference.kind, f"{reference.name}: {error.reason}") from error
    signer = RemoteSigner(keeper, reference, public)
    signer.sign(_PROBE)
    return signer


def unusable(kind: str, why: str) -> GatekeeperError:
    """Return the error of a keeper that doesn't do its part; `why` holds no secret."""
    return GatekeeperError("GK106", f"The keeper of the service's keys ({kind}) can't be used: {why}.")
