"""Writing bytes to the terminal as they come: a character appears as soon as its last byte is there."""

from __future__ import annotations

import codecs
import re
from typing import TextIO

__all__ = ["Utf8Writer"]

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# A terminal obeys control characters; a model, or the author of its file, must not command it.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Utf8Writer:
    """Decodes UTF-8 byte by byte onto a text stream; what is not UTF-8 becomes U+FFFD.

    On a terminal, control characters other than newline and tab become U+FFFD too. Characters that the
    stream's encoding lacks become "?".

    >>> import io
    >>> terminal = io.StringIO()
    >>> writer = Utf8Writer(terminal)
    >>> for byte in "né".encode():
    ...     writer.write(bytes([byte]))
    >>> terminal.getvalue()
    'né'
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.filter_controls = stream.isatty()
        self.last = "\n"

    def write(self, data: bytes) -> None:
        """Write the characters that `data` completes, at once."""
        self._show(self.decoder.decode(data))

    def close(self) -> None:
        """End an unfinished character and an unfinished line."""
        self._show(self.decoder.decode(b"", final=True))
        if self.last != "\n":
            self._show("\n")

    def _show(self, text: str) -> None:
        if not text:
            return
        if self.filter_controls:
            text = _CONTROLS.sub(_REPLACEMENT, text)
        encoding = self.stream.encoding or "utf-8"
        self.stream.write(text.encode(encoding, "replace").decode(encoding))
        self.stream.flush()
        self.last = text[-1]
