"""Safetensors files: written so that a crash leaves the old file, read as if they were hostile."""

from weftnn.files.replacing import PathLike, replace_file
from weftnn.files.safetensors_reader import Array, read_safetensors
from weftnn.files.safetensors_writer import safetensors_pieces, write_safetensors

__all__ = ["Array", "PathLike", "read_safetensors", "replace_file", "safetensors_pieces", "write_safetensors"]
