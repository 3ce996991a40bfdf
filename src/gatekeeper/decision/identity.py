"""Whether an executable is the tool that a token names.

A token lists alternatives; one must hold, whole: every field that it sets. The facts about the
executable come from metadata beside it, which its owner may have edited: only a digest is evidence,
so a token that matters lists digests. How the facts are found is left to `launch.recognise`.
"""

from __future__ import annotations

from gatekeeper.decision.facts import DigestNeeded, NotRecognised, Recognised, WrongVersion
from gatekeeper.errors import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.decision.facts import Executable, Match
    from gatekeeper.documents.launch_token import Identity


def recognise(executable: Executable, identities: tuple[Identity, ...]) -> Match:
    """Compare an executable with the alternatives of a token.

    The best outcome of all alternatives counts: recognised, a digest is needed to say, the version is
    wrong, not recognised. No alternatives at all recognise nothing.
    """
    reason = "it carries no metadata of a package that is approved"
    ranges: list[str] = []
    digest_needed = False
    for identity in identities:
        outcome = _compare(executable, identity)
        match outcome:
            case Recognised():
                return outcome
            case DigestNeeded():
                digest_needed = True
            case WrongVersion():
                ranges.extend(outcome.ranges)
            case _:
                reason = outcome.reason or reason
    if digest_needed:
        return DigestNeeded()
    if ranges:
        return WrongVersion(version=executable.version, ranges=tuple(ranges))
    return NotRecognised(reason=reason)


def _compare(executable: Executable, identity: Identity) -> Match:
    """Compare with one alternative. A `NotRecognised` without a reason is another package altogether."""
    if not (identity.npm or identity.pypi or identity.native or identity.sha256):
        return NotRecognised(reason="")
    if not _same_package(executable, identity):
        return NotRecognised(reason="")
    if identity.publisher:
        # A signature of the publisher can't be checked on this platform, and what isn't checked doesn't hold.
        return NotRecognised(reason="its publisher can't be verified here")
    if identity.versions:
        try:
            if not _in_range(executable, identity):
                return WrongVersion(version=executable.version, ranges=(identity.versions,))
        except Malformed:
            return NotRecognised(reason="the approved range of versions can't be read")
    if identity.sha256:
        if not executable.sha256:
            return DigestNeeded()
        if executable.sha256 not in identity.sha256:
            return NotRecognised(reason="its bytes are not those that are approved")
    return Recognised(identity=identity)


def _same_package(executable: Executable, identity: Identity) -> bool:
    return (
        (not identity.npm or executable.npm == identity.npm)
        and (not identity.pypi or normalise_pypi(executable.pypi) == normalise_pypi(identity.pypi))
        and (not identity.native or executable.native == identity.native)
    )


def _in_range(executable: Executable, identity: Identity) -> bool:
    from gatekeeper.decision.versions import in_npm_range, in_pypi_range  # where a token asks for it

    if identity.pypi:
        return in_pypi_range(executable.version, identity.versions)
    return in_npm_range(executable.version, identity.versions)


def normalise_pypi(name: str) -> str:
    """Return a PyPI name as the index compares it (PEP 503): lower case, runs of `-`, `_` and `.` as one `-`."""
    words = name.lower().replace("_", "-").replace(".", "-").split("-")
    return "-".join(word for word in words if word)
