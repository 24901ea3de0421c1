"""Functions of the extension module that take and give tuples by place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from weftnn import _core

Function = TypeVar("Function", bound=Callable[..., Any])


def checked_names(function: Function, **names: tuple[str, ...]) -> Function:
    """`function`, if the extension module has the same `names`, by the attributes that hold them.

    Else one that raises ImportError. It does so at its first call alone: who builds the extension module anew
    imports the package with the one that stood before.
    """
    for known_as, ours in names.items():
        theirs = getattr(_core, known_as, None)
        if theirs != ours:
            error = f"weftnn must be built anew: {known_as} must be {ours}, got {theirs}"

            def refuse(*_: Any, error: str = error) -> None:
                raise ImportError(error)

            return cast(Function, refuse)
    return function
