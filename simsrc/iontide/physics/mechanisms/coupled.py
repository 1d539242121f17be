"""Coupled passive transport by stoichiometry: cotransporters and exchangers, driven by nothing but their gradients.

A cycle carries ``stoichiometry``, nu of each ion outward (negative: inward), and with it the charge z = Σ nu z_ion. All
laws here are *thermodynamic*: with D = Σ nu Δmu~ (J mol⁻¹ of cycles) they stop exactly where D = 0, and J has
the sign of D everywhere else, so that J D ≥ 0. In what follows ``from`` is the side from which a cycle takes an ion
(inside where nu > 0, outside where nu < 0) and ``to`` the other one; a are activities; phi = F V / (R T).
"""

from __future__ import annotations

from collections.abc import Mapping

from ...constants import FARADAY, GAS_CONSTANT
from ...symbolic.expression import Number, exp, log
from .binding import sigmoid
from .sides import Sides


def mass_action(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles outward, mol m⁻² s⁻¹, as a difference of two products.

    ``rate · (e^(z phi/2) Π a_from^|nu| − e^(−z phi/2) Π a_to^|nu|)``; for KCC ``rate · (K_i Cl_i − K_o Cl_o)``. An
    electrogenic cycle has its barrier in the middle of the field. Driven by nothing; thermodynamic. Source: the law of
    mass action (Waage & Guldberg 1864; Eyring, Lumry & Woodbury 1949, Rec Chem Prog 10:100, for the barrier); as used
    for NCC by Vereninov et al. 2014, Cell Physiol Biochem 34:1812.

    Arguments: ``rate``, m^(3n−2) mol^(1−n) s⁻¹ where n = Σ |nu|.
    """
    forward, backward = _products(sides, stoichiometry)
    return arguments["rate"] * (forward - backward)


def saturating(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles outward, mol m⁻² s⁻¹, as a difference of two products that saturates at ``rate`` either way.

    ``rate · (f − b) / (1 + f + b)`` with ``f = e^(z phi/2) Π (a_from / h)^|nu|`` and ``b`` the same of a_to with
    −phi: a carrier that is empty, loaded on one side or loaded on the other. Driven by nothing; thermodynamic. Source:
    the direct binding law of Liebermeister, Uhlendorf & Klipp 2010, Bioinformatics 26:1528,
    doi:10.1093/bioinformatics/btq141.

    Arguments: ``rate`` (mol m⁻² s⁻¹), ``half_saturation.ION`` for every ion moved (mol m⁻³).
    """
    half = {ion: arguments[f"half_saturation.{ion}"] for ion in stoichiometry}
    forward, backward = _products(sides, stoichiometry, half)
    return arguments["rate"] * ((forward - backward) / (1.0 + forward + backward))


def linear_force(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles outward, mol m⁻² s⁻¹, in proportion to their driving force: ``rate · D``, or ``conductance / F² · D``.

    For KCC2 the latter is ``g (E_Cl − E_K) / F``, the conductance form of physiologists; where they write
    ``g (E_K − E_Cl) / F`` they count the flux inward. An electroneutral cycle carries no current: g is then but a name
    for F² times a permeability to D. Driven by nothing; thermodynamic. Source: Onsager 1931, Phys Rev 37:405,
    doi:10.1103/PhysRev.37.405 (linear laws); Doyon et al. 2011, PLoS Comput Biol 7:e1002149,
    doi:10.1371/journal.pcbi.1002149, and Düsterwald et al. 2018, doi:10.7554/eLife.39575 (KCC2).

    Arguments: ``rate`` (mol² J⁻¹ m⁻² s⁻¹) or ``conductance`` (S m⁻²).
    """
    scale = arguments["rate"] if "rate" in arguments else arguments["conductance"] * FARADAY**-2
    return (scale * GAS_CONSTANT * sides.temperature) * _reduced_force(sides, stoichiometry)


def log_ratio(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles outward, mol m⁻² s⁻¹: ``rate · (ln Π (a_in / a_out)^nu + z phi)``, which is ``rate · D / (R T)``.

    For KCC2 ``rate · ln(K_i Cl_i / (K_o Cl_o))``. Driven by nothing; thermodynamic. Source: Østby et al. 2009, PLoS
    Comput Biol 5:e1000272, doi:10.1371/journal.pcbi.1000272 (KCC1, NKCC1); Wei, Ullah & Schiff 2014, J Neurosci
    34:11733, doi:10.1523/JNEUROSCI.0516-14.2014 (KCC2).

    Arguments: ``rate`` (mol m⁻² s⁻¹).
    """
    return arguments["rate"] * _reduced_force(sides, stoichiometry)


def nkcc1_sigmoidal(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles of NKCC1 outward (1 Na, 1 K, 2 Cl), mol m⁻² s⁻¹, switched on by K outside.

    ``rate / (1 + exp((half_K − K_o) / slope_K)) · ln(Na_i K_i Cl_i² / (Na_o K_o Cl_o²))``: ``log_ratio`` with a factor
    that is never negative. Driven by nothing; thermodynamic. Source: Wei, Ullah & Schiff 2014, J Neurosci 34:11733,
    doi:10.1523/JNEUROSCI.0516-14.2014 (half_K 16, slope_K 1 mM); Sætra et al. 2020, PLoS Comput Biol 16:e1007661,
    doi:10.1371/journal.pcbi.1007661 (the EDPR model).

    Arguments: ``rate`` (mol m⁻² s⁻¹), ``half.K_outside`` and ``slope.K_outside`` (mol m⁻³).
    """
    switched_on = sigmoid((sides.outside["K"] - arguments["half.K_outside"]) / arguments["slope.K_outside"])
    return arguments["rate"] * (switched_on * _reduced_force(sides, stoichiometry))


def _charge(sides: Sides, stoichiometry: Mapping[str, int]) -> int:
    """Charge that a cycle carries outward."""
    return sum(count * sides.valence[ion] for ion, count in stoichiometry.items())


def _reduced_force(sides: Sides, stoichiometry: Mapping[str, int]) -> Number:
    """D / (R T) = Σ nu ln(a_in / a_out) + z phi."""
    force: Number = 0.0
    for ion, count in stoichiometry.items():
        force = force + count * (log(sides.inside_activity[ion]) - log(sides.outside_activity[ion]))
    charge = _charge(sides, stoichiometry)
    return force + charge * sides.reduced_potential if charge else force


def _products(
    sides: Sides, stoichiometry: Mapping[str, int], half: Mapping[str, Number] | None = None
) -> tuple[Number, Number]:
    """``e^(z phi/2) Π (a_from / h)^|nu|`` and ``e^(−z phi/2) Π (a_to / h)^|nu|``, h = 1 where none is given."""
    forward: Number = 1.0
    backward: Number = 1.0
    for ion, count in stoichiometry.items():
        inside, outside = sides.inside_activity[ion], sides.outside_activity[ion]
        if half is not None:
            inside, outside = inside / half[ion], outside / half[ion]
        taken, released = (inside, outside) if count > 0 else (outside, inside)
        forward = forward * taken ** abs(count)
        backward = backward * released ** abs(count)
    charge = _charge(sides, stoichiometry)
    if charge:
        tilt = (0.5 * charge) * sides.reduced_potential
        forward, backward = forward * exp(tilt), backward * exp(-tilt)
    return forward, backward
