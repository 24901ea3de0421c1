"""Options that several functions share: declared once, shown by each function as its own.

    class Options(TypedDict, total=False):
        reverse: bool

    @takes(Options, {"reverse": False})
    def forward(x: Array, **options: Unpack[Options]) -> Array: ...

Type checkers read the TypedDict. `help` and `inspect.signature` show every option with its default, and the
explanations in the TypedDict's docstring stand where the function's has the line `**options`.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Taker = TypeVar("Taker", bound=Callable[..., Any])


def takes(declared: type, defaults: Mapping[str, Any]) -> Callable[[Taker], Taker]:
    """A decorator for a function, or a class, whose `**options` are those of a TypedDict.

    >>> from typing import TypedDict
    >>> class Options(TypedDict, total=False):
    ...     '''Options of every greeting.
    ...
    ...     name: who is greeted.
    ...     '''
    ...     name: str
    >>> @takes(Options, {"name": "weft"})
    ... def greet(word, **options):
    ...     '''A greeting.
    ...
    ...     word: what comes before the name.
    ...     **options
    ...     '''
    >>> print(inspect.signature(greet), inspect.getdoc(greet), sep="\\n")
    (word, *, name: 'str' = 'weft')
    A greeting.
    <BLANKLINE>
    word: what comes before the name.
    name: who is greeted.
    """
    explained = inspect.cleandoc(declared.__doc__ or "").partition("\n\n")[2]
    shared = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=_text(kind)
        )
        for name, kind in declared.__annotations__.items()
    ]

    def completed(taker: Taker) -> Taker:
        function: Any = vars(taker)["__init__"] if isinstance(taker, type) else taker
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        function.__signature__ = signature.replace(parameters=own + shared)
        if taker.__doc__:  # python -OO has none
            taker.__doc__ = re.sub(
                r"(?m)^( *)\*\*options$", lambda line: textwrap.indent(explained, line[1]), taker.__doc__
            )
        return taker

    return completed


def check_options(where: str, options: Mapping[str, Any], declared: Any) -> None:
    """Refuses keywords that a TypedDict does not have, as Python does."""
    if not declared.__optional_keys__.issuperset(options):  # quicker than comparing keys
        unknown = next(name for name in options if name not in declared.__optional_keys__)
        raise TypeError(f"{where}() got an unexpected keyword argument {unknown!r}")


def _text(kind: Any) -> str:
    """An annotation as it stands in the source."""
    return str(getattr(kind, "__forward_arg__", getattr(kind, "__name__", kind)))
