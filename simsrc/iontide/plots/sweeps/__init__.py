"""Figures of sweeps: maps, curves, families, marginals, sensitivity indices, verdicts."""
