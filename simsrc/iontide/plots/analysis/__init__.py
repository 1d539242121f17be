"""Figures of steady states: branches of a continuation, rankings of sensitivities."""
