"""Fractions of sites that are occupied: the pieces that saturating laws are made of."""

from __future__ import annotations

from ...symbolic.expression import Number, exp, log, maximum, minimum

#: Least concentration that a logarithm is taken of, mol m⁻³: far less than one molecule in any cell.
_TRACE = 1e-30

#: Largest exponent, so that neither a sigmoid nor its slope overflows; what it cuts off is below 1e-130.
_STEEPEST = 300.0


def sigmoid(x: Number) -> Number:
    """``1 / (1 + exp(−x))``, from 0 to 1; x is a pure number."""
    return 1.0 / (1.0 + exp(minimum(-x, _STEEPEST)))


def sites(concentration: Number, half: Number) -> Number:
    """Fraction of independent sites that are bound, ``c / (c + half)``."""
    return concentration / (concentration + half)


def hill(concentration: Number, half: Number, exponent: Number) -> Number:
    """``cⁿ / (cⁿ + halfⁿ)`` for any n > 0, and 0 where there is none (Hill 1910, J Physiol 40:iv)."""
    return sigmoid(exponent * (log(maximum(concentration, _TRACE)) - log(half)))
