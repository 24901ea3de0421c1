"""Whole models: a language model over bytes, its evaluation, and drawing text from it."""

from weft.models.evaluation import HeldOutText, bits_per_byte
from weft.models.language_model import LanguageModel

__all__ = ["HeldOutText", "LanguageModel", "bits_per_byte"]
