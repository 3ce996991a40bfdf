"""Keys in AWS KMS (`ECC_NIST_P256`, use SIGN_VERIFY). Credentials are found as boto3 finds them: a role, best."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.keys.elsewhere import AWS_KMS, unusable
from gatekeeper.trust.der import public_key_of_spki, raw_of_der

if TYPE_CHECKING:
    from gatekeeper.trust.chain import PublicKey

_CONNECT_SECONDS = 3
_ANSWER_SECONDS = 5
_MAX_RAW_BYTES = 4096


class AwsKms:
    """A client of one region."""

    def __init__(self, *, region: str = "", endpoint: str = "") -> None:
        """Prepare it; "" leaves region and endpoint to the environment.

        Raises:
            GatekeeperError: GK106, boto3 isn't installed, or knows no region.
        """
        try:
            import boto3  # type: ignore[import-untyped]
            from botocore.config import Config  # type: ignore[import-untyped]
            from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
        except ImportError as error:
            raise GatekeeperError(
                "GK106", "Keys in AWS KMS need boto3.", remedy="pip install 'ai-gatekeeper[service,kms]'"
            ) from error
        self._errors = (BotoCoreError, ClientError)
        limits = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_ANSWER_SECONDS,
            retries={"total_max_attempts": 2, "mode": "standard"},
        )
        try:
            self._client: Any = boto3.client(
                "kms", region_name=region or None, endpoint_url=endpoint or None, config=limits
            )
        except self._errors as error:
            raise unusable(AWS_KMS, str(error)) from error

    def public_key(self, name: str) -> PublicKey:
        """Return the public half."""
        try:
            answer = self._client.get_public_key(KeyId=name)
        except self._errors as error:
            raise unusable(AWS_KMS, str(error)) from error
        if answer.get("KeyUsage") != "SIGN_VERIFY":
            raise unusable(AWS_KMS, f"{name} is not for signing")
        return public_key_of_spki(answer["PublicKey"])

    def sign(self, name: str, message: bytes) -> bytes:
        """Sign; what KMS takes whole is sent whole, of more only the digest."""
        whole = len(message) <= _MAX_RAW_BYTES
        try:
            answer = self._client.sign(
                KeyId=name,
                Message=message if whole else sha256(message).digest(),
                MessageType="RAW" if whole else "DIGEST",
                SigningAlgorithm="ECDSA_SHA_256",
            )
        except self._errors as error:
            raise unusable(AWS_KMS, str(error)) from error
        return raw_of_der(answer["Signature"])
