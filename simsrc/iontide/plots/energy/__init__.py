"""Figures of power and energy: power over time, energy budgets."""
