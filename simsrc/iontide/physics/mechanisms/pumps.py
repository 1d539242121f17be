"""Pumps driven by ATP, in the forms that published models use.

None of these laws depends on the free energy of ATP: they neither stop nor reverse where the gradients outweigh it,
and do not depend on the potential. They are convenient, and *not thermodynamic*; ``atp_cycles`` has the laws that are.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...symbolic.expression import Number
from .binding import hill, sigmoid, sites
from .sides import Sides


def na_k_atpase_constant(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles of the Na/K-ATPase at a fixed ``rate``, each 3 Na out and 2 K in, mol m⁻² s⁻¹.

    Driven by ATP; not thermodynamic: it runs on where there is no Na left. Source: the pump-leak model of Tosteson &
    Hoffman 1960, J Gen Physiol 44:169; as used by Kay 2017, Front Cell Dev Biol 5:41, doi:10.3389/fcell.2017.00041.

    Arguments: ``rate`` (mol m⁻² s⁻¹).
    """
    return arguments["rate"]


def na_k_atpase_linear(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles of the Na/K-ATPase, each 3 Na out and 2 K in: ``rate · Na_i / 3``, mol m⁻² s⁻¹.

    So ``rate · Na_i`` is the flux of Na, and 2/3 of it that of K. Driven by ATP; not thermodynamic. Source:
    Hoppensteadt & Peskin, Modeling and Simulation in Medicine and the Life Sciences, 2002; as used by Gabbiani & Cox,
    Mathematics for Neuroscientists, 2010 (NaKrest.m) and by Vereninov et al. 2014, Cell Physiol Biochem 34:1812.

    Arguments: ``rate`` (m s⁻¹).
    """
    return (arguments["rate"] / 3.0) * sides.inside["Na"]


def na_k_atpase_power(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles of the Na/K-ATPase, each 3 Na out and 2 K in: ``rate · (Na_i / Na_o)³``, mol m⁻² s⁻¹.

    Driven by ATP; not thermodynamic, and it does not saturate. Source: Düsterwald et al. 2018, eLife 7:e39575,
    doi:10.7554/eLife.39575 (eq. of J_p; their P is F times ``rate``).

    Arguments: ``rate`` (mol m⁻² s⁻¹).
    """
    return arguments["rate"] * (sides.inside["Na"] / sides.outside["Na"]) ** 3


def na_k_atpase_cubic(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles of the Na/K-ATPase, each 3 Na out and 2 K in, mol m⁻² s⁻¹.

    ``rate · (Na_i / (Na_i + h_Na))³ · (K_o / (K_o + h_K))²``: independent, equal binding sites for three Na inside
    and two K outside. It saturates, ignores the energy of ATP and the potential, and never runs backward: a
    convenient law, not a thermodynamic one. Source: Garay & Garrahan 1973, J Physiol 231:297,
    doi:10.1113/jphysiol.1973.sp010234 (Na sites); Läuger, Electrogenic Ion Pumps, 1991.

    Arguments: ``rate`` (mol m⁻² s⁻¹), ``half_saturation.Na_inside`` and ``half_saturation.K_outside`` (mol m⁻³).
    """
    bound_sodium = sites(sides.inside["Na"], arguments["half_saturation.Na_inside"])
    bound_potassium = sites(sides.outside["K"], arguments["half_saturation.K_outside"])
    return arguments["rate"] * (bound_sodium**3 * bound_potassium**2)


def na_k_atpase_hill(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles of the Na/K-ATPase, each 3 Na out and 2 K in, mol m⁻² s⁻¹, with Hill exponents as measured.

    ``rate / (1 + (h_Na / Na_i)^n_Na) / (1 + (h_K / K_o)^n_K)``. Driven by ATP; not thermodynamic. Source: the form of
    Luo & Rudy 1994, Circ Res 74:1071, doi:10.1161/01.RES.74.6.1071 (n_Na 1.5, n_K 1), without its voltage factor.

    Arguments: ``rate`` (mol m⁻² s⁻¹), ``half_saturation.Na_inside`` and ``half_saturation.K_outside`` (mol m⁻³),
    ``exponent.Na_inside`` and ``exponent.K_outside`` (pure numbers).
    """
    bound_sodium = hill(sides.inside["Na"], arguments["half_saturation.Na_inside"], arguments["exponent.Na_inside"])
    bound_potassium = hill(sides.outside["K"], arguments["half_saturation.K_outside"], arguments["exponent.K_outside"])
    return arguments["rate"] * (bound_sodium * bound_potassium)


def na_k_atpase_sigmoidal(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles of the Na/K-ATPase, each 3 Na out and 2 K in, mol m⁻² s⁻¹, sigmoidal in both concentrations.

    ``rate / (1 + exp((half_Na − Na_i) / slope_Na)) / (1 + exp((half_K − K_o) / slope_K))``. Driven by ATP; not
    thermodynamic, and not quite 0 where there is no Na inside or no K outside. Source: Cressman et al. 2009, J Comput
    Neurosci 26:159, doi:10.1007/s10827-008-0132-4 (half_Na 25, slope_Na 3, half_K 5.5, slope_K 1 mM); Hübel & Dahlem
    2014, PLoS Comput Biol 10:e1003941, doi:10.1371/journal.pcbi.1003941.

    Arguments: ``rate`` (mol m⁻² s⁻¹), ``half.Na_inside``, ``half.K_outside``, ``slope.Na_inside`` and
    ``slope.K_outside`` (mol m⁻³).
    """
    bound_sodium = sigmoid((sides.inside["Na"] - arguments["half.Na_inside"]) / arguments["slope.Na_inside"])
    bound_potassium = sigmoid((sides.outside["K"] - arguments["half.K_outside"]) / arguments["slope.K_outside"])
    return arguments["rate"] * (bound_sodium * bound_potassium)


def _single_ion_hill(sides: Sides, stoichiometry: Mapping[str, int], arguments: Mapping[str, Number]) -> Number:
    """Cycles of a pump by the Hill law of the one ion that ``half_saturation`` names, mol m⁻² s⁻¹.

    ``rate · cⁿ / (cⁿ + hⁿ)``, c on the side from which the cycle takes the ion: inside where ``stoichiometry`` has it
    with a positive sign, outside where with a negative one. Driven by ATP; not thermodynamic. As

    * ``h_atpase``, c = H, n usually 1 (after Läuger, Electrogenic Ion Pumps, 1991);
    * ``pmca``, c = Ca, n 1 to 2 (Carafoli 1991, Physiol Rev 71:129), taking up H in exchange where ``stoichiometry``
      shows it (2 H a Ca, electroneutral: Thomas 2009, J Physiol 587:315);
    * ``serca``, c = Ca, n = 2 (Lytton et al. 1992, J Biol Chem 267:14483; De Young & Keizer 1992, PNAS 89:9895,
      doi:10.1073/pnas.89.20.9895).

    Arguments: ``rate`` (mol m⁻² s⁻¹), ``half_saturation.ION`` (mol m⁻³), ``exponent.ION`` (pure number).
    """
    ion = next(name for name in stoichiometry if f"half_saturation.{name}" in arguments)
    concentration = (sides.inside if stoichiometry[ion] > 0 else sides.outside)[ion]
    return arguments["rate"] * hill(concentration, arguments[f"half_saturation.{ion}"], arguments[f"exponent.{ion}"])


#: One law by three names, of the pumps that follow it.
h_atpase = pmca = serca = _single_ion_hill
