"""What the pages' forms send: many checkboxes, each under a name of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def chosen(form: Mapping[str, str], prefix: str) -> tuple[str, ...]:
    """Return what is chosen among the checkboxes `<prefix><name>`, in the form's order."""
    return tuple(
        name.removeprefix(prefix) for name, value in form.items() if name.startswith(prefix) and value
    )
