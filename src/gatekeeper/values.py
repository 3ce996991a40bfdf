"""The base of every warm value: small, immutable, compared by content.

A launch loads these classes on every start, so they are not dataclasses (those import `inspect`,
which costs more than the signature check). A subclass lists annotated fields and nothing else:

    class Exclusion(Value):
        pattern: str
        rule: str = ""

Fields become slots, construction is by keyword only, assignment is refused.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self, dataclass_transform
else:

    def dataclass_transform(**_options: object) -> object:
        """Stand in for `typing.dataclass_transform`, which only type checkers read."""
        return lambda cls: cls


@dataclass_transform(kw_only_default=True, frozen_default=True)
class ValueType(type):
    """Turn the annotated fields of a class body into slots, and remember their defaults."""

    if TYPE_CHECKING:
        _fields: tuple[str, ...]
        _defaults: dict[str, Any]

    def __new__(cls, name: str, bases: "tuple[type, ...]", namespace: "dict[str, Any]") -> "ValueType":
        """Make the class with its annotated fields as slots."""
        named = namespace.get("__annotations__")
        namespace["__slots__"] = ()
        if len(bases) > 1:
            raise TypeError(f"{name} can have one base")
        if named or not bases:
            fields, defaults = (bases[0]._fields, bases[0]._defaults) if bases else ((), {})  # type: ignore[attr-defined]  # noqa: SLF001 - the same class
            own = tuple([field for field in named or () if field not in fields])
            given = {field: namespace.pop(field) for field in named or () if field in namespace}
            # A field that a base has already (named again for a new default) keeps its one slot and place.
            namespace["__slots__"] = own
            namespace["_fields"] = fields + own
            namespace["_defaults"] = {**defaults, **given} if given else defaults
        return super().__new__(cls, name, bases, namespace)


class Value(metaclass=ValueType):
    """An immutable record. Misuse (a missing, unknown or assigned field) is a programming error."""

    def __init__(self, **given: object) -> None:
        cls = type(self)
        put = object.__setattr__
        if len(given) != len(cls._fields):
            given = {**cls._defaults, **given}
        for field in cls._fields:
            if field not in given:
                raise TypeError(f"{cls.__name__} needs {field}")
            put(self, field, given[field])
        if len(given) != len(cls._fields):
            raise TypeError(f"{cls.__name__} has no {', '.join(sorted({*given} - {*cls._fields}))}")

    def replace(self, **changes: "Any") -> "Self":
        """Return a copy with the named fields changed."""
        cls = type(self)
        return cls(**{f: changes.pop(f, getattr(self, f)) for f in cls._fields}, **changes)

    def _content(self) -> "tuple[object, ...]":
        return tuple(getattr(self, field) for field in type(self)._fields)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self._content() == other._content()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._content()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{field}={getattr(self, field)!r}" for field in type(self)._fields)
        return f"{type(self).__name__}({shown})"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable ({name})")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable ({name})")


class Absent(Value):
    """Something that isn't there or can't be used. `reason` is for people; `code` where one applies."""

    reason: str
    code: str = ""
