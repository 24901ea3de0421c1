"""Layers that act on every element by itself."""
