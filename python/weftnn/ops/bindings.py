"""Functions of the extension module that take their arguments by position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from weftnn import _core

Function = TypeVar("Function", bound=Callable[..., Any])


def checked_arguments(function: Function, known_as: str, *names: str) -> Function:
    """`function`, if its arguments have these names in this order: its file in C++ lists them.

    Else one that raises ImportError. It does so at its first call alone: who builds the extension module anew
    imports the package with the one that stood before.
    """
    theirs = getattr(_core, known_as, None)
    if theirs == names:
        return function

    def refuse(*_: Any) -> None:
        raise ImportError(f"weftnn must be built anew: {known_as} must be {names}, got {theirs}")

    return cast(Function, refuse)
