"""Figures of liquid junctions: stationary profiles, and profiles as they form."""
