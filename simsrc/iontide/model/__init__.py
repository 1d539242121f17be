"""Immutable records of a model in SI units: parts, protocol, schedule, validation, JSON."""
