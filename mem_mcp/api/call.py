"""From the one declaration of an operation's arguments to its method, its tool and its command.

An operation's arguments are a dataclass. Each field is `Annotated[type, Check, Doc]`: the type
that editors and type checkers know, how a given value is read, and what it means. `takes` makes the
method, server/tools.py the tool, cli/commands.py the command, and `read` checks what any of them
was given: one place decides what is accepted.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import tzinfo
from functools import cache, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, get_type_hints

from mem_mcp.api.nearest import no_such_argument
from mem_mcp.api.words import is_absent
from mem_mcp.errors import InvalidInput

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A")
Reader = Callable[..., Any]
"""Reads what was given for an argument; takes it, the name and, where times are read, `zone`."""
SCOPE = ("user_id", "agent_id", "run_id")
"""The arguments that nearly every operation takes: whose memory a call is about."""
# Of a name that is refused.
_LONGEST_SHOWN = 80


class Taker(Protocol):
    """Has methods that take declared arguments."""

    @property
    def zone(self) -> tzinfo:
        """The time zone in which callers mean times that name none."""

    def admit(self, request: object) -> None:
        """Check that checked arguments are within what is the caller's."""


S = TypeVar("S", bound=Taker)


@dataclass(frozen=True)
class Check:
    """How one argument is read.

    Args:
        read: returns the value, or raises InvalidInput.
        schema: what is asked for, as JSON Schema.
        is_text: whether it is free text, in which "none" is a word like any other.
        is_zoned: whether times without a zone are read in it, so that `read` takes the zone.
    """

    read: Reader
    schema: Mapping[str, Any]
    is_text: bool = False
    is_zoned: bool = False


@dataclass(frozen=True)
class Doc:
    """What an argument means.

    Args:
        text: for models, who read all of it at each start.
        more: for people, in Python's help and on the command line.
    """

    text: str
    more: str = ""

    @property
    def whole(self) -> str:
        """All of it."""
        return "; ".join(part for part in (self.text, self.more) if part)


@dataclass(frozen=True)
class Argument:
    """One declared argument."""

    name: str
    check: Check
    doc: Doc | None
    """None for what only Python can give."""
    default: Any
    """What it is where it is absent; MISSING where it must be given."""
    by_position: bool

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.default is MISSING


@cache
def arguments_of(declared: Callable[..., Any]) -> tuple[Argument, ...]:
    """Return the arguments that a dataclass declares, those of the scope last."""
    hints = get_type_hints(declared, include_extras=True)
    described = []
    for field in fields(declared):  # type: ignore[arg-type]
        marks = hints[field.name].__metadata__
        docs = [mark for mark in marks if isinstance(mark, Doc)]
        described.append(
            Argument(
                name=field.name,
                check=next(mark for mark in marks if isinstance(mark, Check)),
                doc=docs[-1] if docs else None,
                default=field.default,
                by_position=not field.kw_only,
            )
        )
    return tuple(sorted(described, key=lambda argument: argument.name in SCOPE))


def read(declared: Callable[..., A], given: Mapping[str, Any], zone: tzinfo) -> A:
    """Check given arguments against their declaration.

    Args:
        declared: the dataclass.
        given: values by name. None, and "", "null" or "none" where no free text is wanted, stand
            for an argument that is absent.
        zone: of times that name no time zone.

    Returns:
        The dataclass, each value in the type that operations work with.

    Raises:
        InvalidInput: an argument is unknown, missing, or not what is allowed.
    """
    arguments = arguments_of(declared)
    if unknown := [name for name in given if all(name != one.name for one in arguments)]:
        allowed = [one.name for one in arguments if one.doc is not None]
        raise no_such_argument(str(unknown[0])[:_LONGEST_SHOWN], allowed)
    values = {}
    for argument in arguments:
        value = given.get(argument.name)
        if value is None or (not argument.is_required and _is_absent(value, argument)):
            if argument.is_required:
                raise InvalidInput(argument.name, "is missing")
            continue
        check, given_zone = argument.check, {"zone": zone} if argument.check.is_zoned else {}
        values[argument.name] = check.read(value, argument.name, **given_zone)
    return declared(**values)


def _is_absent(value: object, argument: Argument) -> bool:
    return value == "" if argument.check.is_text else is_absent(value)


def takes(
    declared: Callable[P, A],
) -> Callable[[Callable[[S, A], Awaitable[R]]], Callable[Concatenate[S, P], Awaitable[R]]]:
    """Make a method of an operation: it takes the declared arguments and is given them checked."""

    def decorate(
        method: Callable[[S, A], Awaitable[R]],
    ) -> Callable[Concatenate[S, P], Awaitable[R]]:

        @wraps(method)
        async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            request = read(declared, by_name(declared, args, kwargs), self.zone)
            self.admit(request)
            return await method(self, request)

        # Last: wraps copies the method's own.
        call.__signature__ = _signature(method, declared)  # type: ignore[attr-defined]
        call.__doc__ = _documented(method.__doc__ or "", declared)
        return call

    return decorate


def by_name(
    declared: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Give arguments that came by position their names.

    Raises:
        TypeError: more came by position than may, or one came twice.
    """
    names = [argument.name for argument in arguments_of(declared) if argument.by_position]
    if len(args) > len(names):
        raise TypeError(f"takes {len(names)} arguments by position, and {len(args)} were given")
    given = dict(zip(names, args, strict=False))
    if twice := given.keys() & kwargs.keys():
        raise TypeError(f"got {min(twice)!r} by position and by name")
    return {**given, **kwargs}


def _signature(method: Callable[..., Any], declared: Callable[..., Any]) -> inspect.Signature:
    types = get_type_hints(declared)
    parameters = [
        inspect.Parameter(
            argument.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD
            if argument.by_position
            else inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if argument.is_required else argument.default,
            annotation=types[argument.name],
        )
        for argument in arguments_of(declared)
    ]
    own = inspect.signature(method)
    return own.replace(parameters=[own.parameters["self"], *parameters])


def _documented(summary: str, declared: Callable[..., Any]) -> str:
    described = [(one.name, one.doc) for one in arguments_of(declared) if one.doc is not None]
    lines = [f"    {name}: {doc.whole}." for name, doc in described]
    return "\n".join([inspect.cleandoc(summary), "", "Args:", *lines])
