"""Losses: a number and its gradient, from a prediction and a target."""
