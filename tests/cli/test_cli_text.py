"""Gathering text: files, folders, pipes, standard input, and what is refused."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import threading
from pathlib import Path

import pytest

from weftnn.cli.arguments import CommandError
from weftnn.cli.text import default_text, read_text
from weftnn.cli.utf8_writer import Utf8Writer


def test_the_default_text_is_the_same_every_time() -> None:
    text = default_text()
    assert text.ids.size > 300_000
    assert text.digest == default_text().digest == hashlib.sha256(text.ids.tobytes()).hexdigest()
    assert "pydoc_data.topics" in str(text)


def test_files_and_folders_are_joined_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "b" / "deep").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("hidden")
    (folder / ".hidden").write_text("hidden")
    (folder / "z.txt").write_bytes(b"Z")
    (folder / "b" / "deep" / "one.txt").write_bytes(b"1")
    (folder / "a.txt").write_bytes("ä".encode())
    (folder / "binary.pyc").write_bytes(b"x\0y")
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "fifo")
    single = tmp_path / "single.txt"
    single.write_bytes(b"single ")
    text = read_text([str(single), str(folder), str(single)])
    assert text.ids.tobytes() == b"single " + "ä".encode() + b"Z1single "
    assert text.skipped == 3
    assert all(Path(source).is_absolute() for source in text.sources)


def test_standard_input_and_pipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from \xff input")))
    assert read_text(["-"]).ids.tobytes() == b"from \xff input"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(b"piped",))
    writer.start()
    assert read_text([str(fifo)]).ids.tobytes() == b"piped"
    writer.join()


def test_what_is_refused(tmp_path: Path) -> None:
    empty, binary, folder = tmp_path / "empty.txt", tmp_path / "binary.dat", tmp_path / "folder"
    empty.touch()
    binary.write_bytes(b"abc\0def")
    folder.mkdir()
    for paths, message in [
        ([str(tmp_path / "missing")], "cannot read the text .*missing': No such file"),
        ([str(empty)], "the text is empty"),
        ([str(binary)], "binary.dat' is not text: it has a zero byte at offset 3"),
        ([str(folder)], "holds no text"),
        ([str(empty) + "/x"], "Not a directory"),
        (["a\0b"], "cannot read the text"),
        (["/dev/zero"], "neither a file, a folder nor a pipe"),
        (["-", "-"], "only once"),
    ]:
        with pytest.raises(CommandError, match=message) as error:
            read_text(paths)
        assert error.value.code == 2


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret.txt").write_text("x")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    for path in (tmp_path / "secret.txt", tmp_path):
        with pytest.raises(CommandError, match=r"cannot read the text .*secret.txt': Permission denied"):
            read_text([str(path)])


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("text", ["plain", "žluťoučký kůň", "日本語テキスト", "🧵🪡 weft", "a\u0301\n\tend"])
def test_characters_appear_with_their_last_byte(text: str) -> None:
    stream = io.StringIO()
    writer = Utf8Writer(stream)
    shown = []
    for byte in text.encode():
        writer.write(bytes([byte]))
        shown.append(stream.getvalue())
    whole = [text[: len(part)] for part in shown]
    assert shown == whole  # never a replacement, never half a character
    assert shown[-1] == text
    writer.close()
    assert stream.getvalue() == text + "\n"


def test_broken_utf8_is_replaced() -> None:
    stream = io.StringIO()
    writer = Utf8Writer(stream)
    for byte in b"a\xffb\xe2\x82":
        writer.write(bytes([byte]))
    writer.close()
    assert stream.getvalue() == "a\ufffdb\ufffd\n"


def test_a_terminal_gets_no_control_characters() -> None:
    stream = Terminal()
    writer = Utf8Writer(stream)
    writer.write(b"\x1b[2Jred\x07\n\tok\r\xc2\x9b")
    writer.close()
    assert stream.getvalue() == "\ufffd[2Jred\ufffd\n\tok\ufffd\ufffd\n"


def test_an_encoding_that_lacks_a_character_gets_a_question_mark() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    writer = Utf8Writer(stream)
    writer.write("né!\n".encode())
    writer.close()
    assert raw.getvalue() == b"n?!\n"
