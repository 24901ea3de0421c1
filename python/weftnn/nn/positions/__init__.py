"""Positions: what tells attention where a step stands."""
