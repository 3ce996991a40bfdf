"""From an `Allow` to exactly what is executed. Pure.

The tool gets the environment, arguments, streams and signals that it would have had without gatekeeper, but
for what the token's `launch` says: removals first, then settings, then arguments put before the person's.
"""

from __future__ import annotations

from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gatekeeper.decision.facts import Allow


class LaunchPlan(Value):
    """What is executed: the path that PATH found, the whole argument vector, the whole environment."""

    path: str
    arguments: tuple[str, ...]
    environment: dict[str, str]


def plan(allow: Allow, *, arguments: Sequence[str], environment: Mapping[str, str]) -> LaunchPlan:
    """Plan the launch. `arguments` are the person's, verbatim; argument zero is the word that was typed, as a shell does."""
    changes = allow.token.launch
    kept = {name: value for name, value in environment.items() if name not in changes.env_unset}
    kept.update(changes.env_set)
    return LaunchPlan(
        path=allow.executable.found,
        arguments=(allow.tool, *changes.args_prepend, *arguments),
        environment=kept,
    )
