"""Recurrent layers: stacks of cells over sequences, and the cells themselves."""
