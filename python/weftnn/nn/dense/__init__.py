"""Layers of one product or one table, and normalisation."""
