"""Whole models: language models over bytes, recurrent and GPT, their evaluation, and drawing text."""

from weftnn.models.byte_model import ByteModel
from weftnn.models.evaluation import HeldOutText, bits_per_byte, validation_source
from weftnn.models.gpt import GPT
from weftnn.models.held_out_windows import HeldOutWindows
from weftnn.models.language_model import LanguageModel

__all__ = [
    "GPT",
    "ByteModel",
    "HeldOutText",
    "HeldOutWindows",
    "LanguageModel",
    "bits_per_byte",
    "validation_source",
]
