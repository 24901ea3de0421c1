"""Attention layers, and what they keep between calls."""
