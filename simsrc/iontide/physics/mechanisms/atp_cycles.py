"""Pumps as thermodynamic cycles: driven by ATP, ADP and phosphate, stopped and turned back by their gradients.

One cycle hydrolyses one ATP and carries ``stoichiometry``. With D = Σ nu Δmu~ (J mol⁻¹ of cycles; negative where
the cycle runs uphill) and ΔG the free energy of hydrolysis (negative), its affinity is A = D − ΔG; it must stop
where A = 0. The law is that of an enzyme in rapid equilibrium with what it binds::

    rate · f (1 − exp(−A/RT)) / (1 + f exp(−A/RT)),     f = Π (a_from / (a_from + h))^|nu| [· ATP / (ATP + h_ATP)]

where a_from is the activity on the side from which an ion is taken. Its substrates bind to independent sites, its
products all or none, and it turns over as fast one way as the other: so far from equilibrium it is the saturating law
(for the Na/K-ATPase the cubic one), it goes to −rate in deep reversal, and it obeys Haldane's relation everywhere. The
potential enters with the release of the products, as is found for Na on the outside (Gadsby, Rakowski & De Weer 1993,
Science 260:100). Sources: Liebermeister, Uhlendorf & Klipp 2010, Bioinformatics 26:1528,
doi:10.1093/bioinformatics/btq141 (modular rate laws; the one here joins independent substrates to concerted products);
Smith & Crampin 2004, Prog Biophys Mol Biol 85:387, doi:10.1016/j.pbiomolbio.2004.01.010 (the Post–Albers cycle of the
Na/K-ATPase so reduced, with more states); Tran et al. 2009, Biophys J 96:2029, doi:10.1016/j.bpj.2008.11.045 (SERCA).
"""

from __future__ import annotations

from collections.abc import Mapping

from ...constants import GAS_CONSTANT
from ...symbolic.expression import Number, exp, log
from .sides import Sides

#: The laws of this module: they turn back where their gradients are worth more than ATP, and then make it.
REVERSIBLE = ("na_k_atpase_reversible", "atpase_reversible")

#: Concentration to which standard free energies refer, mol m⁻³ (1 M).
STANDARD_CONCENTRATION = 1000.0


def free_energy_of_atp(sides: Sides, arguments: Mapping[str, Number]) -> Number:
    """ΔG of ATP hydrolysis, J mol⁻¹, usually near −57e3 in a cell.

    ``free_energy`` where it is given, else ``ΔG° + R T ln(ADP · Pi / (ATP · 1 M))``: Alberty 2003, Thermodynamics of
    Biochemical Reactions, with ΔG° the apparent one at the pH and free Mg of the cytosol.
    """
    if "free_energy" in arguments:
        return arguments["free_energy"]
    quotient = log(arguments["ADP"]) + log(arguments["Pi"]) - log(arguments["ATP"] * STANDARD_CONCENTRATION)
    return arguments["standard_free_energy"] + GAS_CONSTANT * sides.temperature * quotient


def na_k_atpase_reversible(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles of the Na/K-ATPase, each 3 Na out and 2 K in for one ATP, mol m⁻² s⁻¹, < 0 where it makes ATP.

    The law of this module with h_Na for Na inside and h_K for K outside. Driven by ATP; thermodynamic: it stops where
    3 Δmu~_Na − 2 Δmu~_K = ΔG, so V counts. Reversal: Garrahan & Glynn 1967, J Physiol 192:237.

    Arguments: ``rate`` (mol m⁻² s⁻¹), ``half_saturation.Na_inside``, ``half_saturation.K_outside`` (mol m⁻³); and
    either ``free_energy`` (J mol⁻¹), or ``ATP``, ``ADP``, ``Pi`` and ``half_saturation.ATP`` (mol m⁻³) and
    ``standard_free_energy`` (J mol⁻¹).
    """
    half = {"Na": arguments["half_saturation.Na_inside"], "K": arguments["half_saturation.K_outside"]}
    return _cycles(sides, stoichiometry, half, arguments)


def atpase_reversible(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles of any pump that carries ``stoichiometry`` for one ATP, mol m⁻² s⁻¹, < 0 where it makes ATP.

    The law of this module. Driven by ATP; thermodynamic: it stops where Σ nu Δmu~ = ΔG, so V counts unless the cycle
    is electroneutral. For the H⁺-ATPase, SERCA, PMCA and H/K-ATPase; as an ATP synthase it runs backward.

    Arguments: ``rate`` (mol m⁻² s⁻¹), ``half_saturation.ION`` for every ion moved, on the side from which it is taken
    (mol m⁻³); and the same choice for the fuel as ``na_k_atpase_reversible`` has.
    """
    return _cycles(sides, stoichiometry, {ion: arguments[f"half_saturation.{ion}"] for ion in stoichiometry}, arguments)


def _cycles(
    sides: Sides, stoichiometry: Mapping[str, int], half: Mapping[str, Number], arguments: Mapping[str, Number]
) -> Number:
    forward: Number = 1.0
    backward: Number = 1.0  # f exp(−A/RT), written without a logarithm: finite where a concentration is 0
    charge = 0
    for ion, count in stoichiometry.items():
        inside, outside = sides.inside_activity[ion], sides.outside_activity[ion]
        taken, released = (inside, outside) if count > 0 else (outside, inside)
        free = taken + half[ion]
        forward = forward * (taken / free) ** abs(count)
        backward = backward * (released / free) ** abs(count)
        charge += count * sides.valence[ion]
    per_mole = GAS_CONSTANT * sides.temperature
    if "free_energy" in arguments:
        exponent = arguments["free_energy"] / per_mole
    else:
        exponent = arguments["standard_free_energy"] / per_mole
        free = arguments["ATP"] + arguments["half_saturation.ATP"]
        forward = (arguments["ATP"] / free) * forward
        backward = (arguments["ADP"] * arguments["Pi"] / (STANDARD_CONCENTRATION * free)) * backward
    if charge:
        exponent = exponent - charge * sides.reduced_potential
    backward = exp(exponent) * backward
    return arguments["rate"] * ((forward - backward) / (1.0 + backward))
