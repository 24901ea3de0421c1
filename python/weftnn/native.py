"""Where this installation keeps what C and C++ programs need: headers, library, CMake and pkg-config."""

from __future__ import annotations

from pathlib import Path

import weftnn

__all__ = ["cmake_folder", "include_folder", "library_folder"]


def cmake_folder() -> Path:
    """The folder for CMake: `-Dweft_DIR=$(python -m weftnn --cmakedir)`, then `find_package(weft CONFIG)`.

    Raises:
        FileNotFoundError: the package was not installed by pip, so it has none.
    """
    return _find("lib/cmake/weft", "weft-config.cmake")


def include_folder() -> Path:
    """The folder for the compiler: `-I$(python -m weftnn --includedir)`.

    Raises:
        FileNotFoundError: as `cmake_folder`.
    """
    return _find("include", "weft/view.hpp")


def library_folder() -> Path:
    """The folder for the linker: `-L$(python -m weftnn --libdir) -lweft`; pkg-config's file is in it, too.

    Raises:
        FileNotFoundError: as `cmake_folder`.
    """
    return _find("lib", "libweft.so")


def _find(folder: str, file: str) -> Path:
    # An editable install has two places: the sources, and what was built from them.
    places = [Path(place) / folder for place in weftnn.__path__]
    for place in places:
        if (place / file).exists():
            return place
    raise FileNotFoundError(
        f"no {file} in {', '.join(map(str, places))}: the C and C++ files come with `pip install`, or by "
        "`cmake --install` without Python"
    )
