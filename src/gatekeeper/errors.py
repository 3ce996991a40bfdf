"""The exceptions that cross a layer. One class for each way in which a catcher differs.

An error carries its code and facts; `decision.notice` writes the words, renderers print them, and
only `__main__` exits. Misuse by our own code raises `RuntimeError` and is a bug (GK901).
"""


class Malformed(Exception):
    """Bytes from outside are not what the format allows. `reason` is for a person, never echoed input."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class GatekeeperError(Exception):
    """Something broke in a way that has a stable code.

    `detail` says what was found, in one sentence; `remedy` is one runnable command or sentence and
    replaces the code's own; `facts` are further members of the problem document.
    """

    def __init__(
        self, code: str, detail: str, *, remedy: str = "", facts: "dict[str, object] | None" = None
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.remedy = remedy
        self.facts: dict[str, object] = facts or {}


class TrustError(GatekeeperError):
    """A signature, a chain or a claim does not hold (GK501 to GK506)."""
