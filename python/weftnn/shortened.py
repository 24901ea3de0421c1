"""Texts for messages: what a file or a caller gave may be of any length, what is said of it may not."""

from __future__ import annotations


def shortened(text: str, most: int = 1000) -> str:
    """The text itself, or its beginning and how much more there was.

    >>> shortened("weft")
    'weft'
    >>> shortened("ab" * 1000, most=6)
    'ababab... (1,994 more characters)'
    """
    if len(text) <= most:
        return text
    return f"{text[:most]}... ({len(text) - most:,} more characters)"
