"""Keys in an HSM, through its PKCS #11 library. A key is named by its label; public half beside it, same label.

A session belongs to one thread and dies with the device, so calls are made one at a time, and a call that fails
is made once more in a new session.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.keys.elsewhere import PKCS11, unusable
from gatekeeper.trust.der import public_key_of_point

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatekeeper.trust.chain import PublicKey

T = TypeVar("T")


class Hsm:
    """One token of a PKCS #11 library."""

    def __init__(self, *, module: Path, token: str, pin_file: Path) -> None:
        """Load the library; nothing is opened yet.

        Raises:
            GatekeeperError: GK106, python-pkcs11 isn't installed, or the library can't be loaded.
        """
        try:
            import pkcs11
        except ImportError as error:
            raise GatekeeperError(
                "GK106",
                "Keys in an HSM need python-pkcs11.",
                remedy="pip install 'ai-gatekeeper[service,pkcs11]'",
            ) from error
        self._pkcs11: Any = pkcs11
        try:
            self._library: Any = pkcs11.lib(str(module))
        except (RuntimeError, OSError, pkcs11.PKCS11Error) as error:
            raise unusable(PKCS11, f"{module}: {error}") from error
        self._token = token
        self._pin_file = pin_file
        self._session: Any = None
        self._lock = Lock()

    def public_key(self, name: str) -> PublicKey:
        """Return the public half."""
        kind = self._pkcs11

        def read(session: Any) -> bytes:
            key = session.get_key(object_class=kind.ObjectClass.PUBLIC_KEY, label=name)
            return bytes(key[kind.Attribute.EC_POINT])

        return public_key_of_point(self._do(read))

    def sign(self, name: str, message: bytes) -> bytes:
        """Sign the digest; the device gives r ‖ s already (PKCS #11 §2.3.1)."""
        kind = self._pkcs11

        def sign(session: Any) -> bytes:
            key = session.get_key(object_class=kind.ObjectClass.PRIVATE_KEY, label=name)
            return bytes(key.sign(sha256(message).digest(), mechanism=kind.Mechanism.ECDSA))

        signature = self._do(sign)
        if len(signature) != 64:
            raise Malformed("it is no signature on P-256")
        return signature

    def close(self) -> None:
        """End the session."""
        with self._lock:
            self._forget()

    def _do(self, act: Callable[[Any], T]) -> T:
        with self._lock:
            for last in (False, True):
                try:
                    return act(self._opened())
                except self._pkcs11.exceptions.NoSuchKey as error:
                    raise unusable(PKCS11, "it has no key of that label") from error
                except self._pkcs11.PKCS11Error as error:
                    self._forget()
                    if last:
                        raise unusable(PKCS11, type(error).__name__) from error
            raise RuntimeError("a call is made twice at most")

    def _opened(self) -> Any:
        if self._session is None:
            try:
                pin = self._pin_file.read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise unusable(PKCS11, f"its PIN can't be read from {self._pin_file}") from error
            self._session = self._library.get_token(token_label=self._token).open(user_pin=pin)
        return self._session

    def _forget(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except self._pkcs11.PKCS11Error:
                return
