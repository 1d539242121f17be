"""Liquid junctions: stationary Nernst-Planck, Henderson and other closed forms, and a junction forming in time."""
