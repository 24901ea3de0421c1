"""Layers that are made of any layers: one after the other, around, in both directions."""
