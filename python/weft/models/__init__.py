"""Whole models: language models over bytes, recurrent and GPT, their evaluation, and drawing text."""

from weft.models.byte_model import ByteModel
from weft.models.evaluation import HeldOutText, bits_per_byte, validation_source
from weft.models.gpt import GPT
from weft.models.held_out_windows import HeldOutWindows
from weft.models.language_model import LanguageModel

__all__ = [
    "GPT",
    "ByteModel",
    "HeldOutText",
    "HeldOutWindows",
    "LanguageModel",
    "bits_per_byte",
    "validation_source",
]
