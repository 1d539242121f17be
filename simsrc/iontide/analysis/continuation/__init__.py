"""Steady states followed along a parameter: pseudo-arclength continuation, folds and Hopf points."""
