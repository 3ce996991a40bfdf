"""TOML that an operator wrote, read so that no file, however odd, is a bug of ours.

What `tomllib` gives may be too deep or too big to walk, compare or print: both are refused here, for all
readers. What the keys mean is left to them.
"""

from __future__ import annotations

import tomllib

from gatekeeper.errors import GatekeeperError

_MAX_DEPTH = 32
_MAX_INTEGER = 2**63  # TOML 1.0: 64 bits, signed


def parse_toml(text: str, *, file: str) -> dict[str, object]:
    """Read hostile TOML; `file` is for the message.

    Raises:
        GatekeeperError: GK101, not TOML, nested too deep, or with an integer beyond 64 bits.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise GatekeeperError("GK101", f"{file}: not TOML: {error}") from error
    except RecursionError as error:
        raise _too_deep(file) from error
    except ValueError as error:  # Python converts no more than 4,300 digits
        raise _too_big(file) from error
    _check_values(raw, file)
    return raw


def _check_values(raw: dict[str, object], file: str) -> None:
    """Check depth and size without recursion: dotted keys nest as deep as the file is long."""
    level: list[object] = [raw]
    for _ in range(_MAX_DEPTH):
        if not level:
            return
        inner: list[object] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.values()
            elif isinstance(value, list):
                inner += value
            elif type(value) is int and not -_MAX_INTEGER <= value < _MAX_INTEGER:
                raise _too_big(file)
        level = inner
    if level:
        raise _too_deep(file)


def _too_deep(file: str) -> GatekeeperError:
    return GatekeeperError("GK101", f"{file}: not TOML that can be used: nested too deep.")


def _too_big(file: str) -> GatekeeperError:
    return GatekeeperError("GK101", f"{file}: not TOML that can be used: an integer is beyond 64 bits.")
