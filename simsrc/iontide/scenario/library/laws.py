"""The rate laws of the library as a scenario file uses them: the stoichiometry and the arguments of each.

The formulas themselves are in `physics.mechanisms`; here is only what is needed to read a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from ..schema.quantity_kinds import ATP_FREE_ENERGY, CONCENTRATION, CONDUCTANCE, FORMULA_RATE, PERMEABILITY, RATE, Kind

#: Instead of a name: every ion in the stoichiometry of the pathway.
EVERY_ION = "*"

#: The rate of mass action, whose dimension follows from the number of ions that a cycle carries.
RATE_OF_ORDER = Kind("a rate", None, "1e-10 m^4/mol/s", lowest=0.0)

HALF_SATURATION = CONCENTRATION.positive("a half saturation", "10 mM")
HALF = Kind("a concentration of half activation", "mol/m^3", "25 mM")
SLOPE = CONCENTRATION.positive("a slope", "3 mM")
EXPONENT = Kind("a Hill exponent", "", "2", lowest=0.0, lowest_allowed=False, highest=10.0)
FREE_ENERGY = ATP_FREE_ENERGY
RATE_PER_CONCENTRATION = Kind("a rate per concentration", "m/s", "1e-8 m/s", lowest=0.0)
RATE_PER_FORCE = Kind("a rate per driving force", "mol^2/J/m^2/s", "1e-12 mol^2/J/m^2/s", lowest=0.0)

#: The free energy of ATP: one of these groups of arguments, complete.
_FUEL: tuple[Mapping[str, Kind], ...] = (
    {"free_energy": FREE_ENERGY},
    {
        "ATP": replace(CONCENTRATION, noun="the concentration of ATP", example="5 mM"),
        "ADP": replace(CONCENTRATION, noun="the concentration of ADP", example="50 uM"),
        "Pi": replace(CONCENTRATION, noun="the concentration of phosphate", example="5 mM"),
        "half_saturation.ATP": HALF_SATURATION,
        "standard_free_energy": replace(
            FREE_ENERGY, noun="the standard free energy of ATP hydrolysis", example="-31 kJ/mol"
        ),
    },
)


@dataclass(frozen=True)
class Law:
    """A rate law that ``[membranes.X.pathways.NAME]`` may name.

    Attributes
    ----------
    name : str
    description : str
        The law in one line, with its formula.
    source : str
    arguments : mapping of str to Kind
        Its arguments, by the path below the pathway; all are required. ``half_saturation.*`` stands for one for
        each ion of the stoichiometry.
    stoichiometries : tuple of mapping of str to int
        What a cycle may carry outward (negative: inward): the first, unless the pathway gives one of the others.
        Empty: any, and the pathway must give it.
    choices : tuple of mapping of str to Kind
        Alternative groups of further arguments, of which one must be given completely.
    driven_by : str
        Its energy source (``"ATP"``); empty for a passive law.
    is_thermodynamic : bool
        Whether it stops and reverses exactly where Σ nu Δmu~ equals the free energy of its energy source (0 for a
        passive law).
    never_zero : tuple of str
        Concentrations that must be greater than 0 (``Na.outside``; ``*``: every ion, on both sides).
    """

    name: str
    description: str
    source: str
    arguments: Mapping[str, Kind]
    stoichiometries: tuple[Mapping[str, int], ...] = ()
    choices: tuple[Mapping[str, Kind], ...] = ()
    driven_by: str = ""
    is_thermodynamic: bool = False
    never_zero: tuple[str, ...] = ()

    @cached_property
    def asks_by_ion(self) -> bool:
        """Whether its arguments depend on the stoichiometry."""
        return any(kind is RATE_OF_ORDER or path.endswith(EVERY_ION) for path, kind in self.arguments.items())

    def kinds(self, stoichiometry: Mapping[str, int] | None) -> dict[str, Kind]:
        """The required arguments for a ``stoichiometry``; where that is None, those that do not depend on it."""
        asked: dict[str, Kind] = {}
        for path, kind in self.arguments.items():
            if path.endswith(EVERY_ION):
                asked |= {path.removesuffix(EVERY_ION) + ion: kind for ion in stoichiometry or ()}
            elif kind is not RATE_OF_ORDER:
                asked[path] = kind
            elif stoichiometry is not None:
                asked[path] = rate_of_order(sum(map(abs, stoichiometry.values())))
        return asked

    def every_kind(self, stoichiometry: Mapping[str, int] | None) -> dict[str, Kind]:
        """The same, with all alternative arguments."""
        return self.kinds(stoichiometry) | {path: kind for group in self.choices for path, kind in group.items()}


def rate_of_order(order: int) -> Kind:
    """The rate of mass action of a cycle with this number of ions: mol m⁻² s⁻¹ over (mol m⁻³) to that power."""
    if order == 1:
        unit = "m/s"
    elif order <= 7:
        unit = f"m^{3 * order - 2}/mol{f'^{order - 1}' if order > 2 else ''}/s"
    else:  # the highest power of a unit is 20
        unit = f"mol/m^2/s/mM^{order}"
    return Kind(f"a rate of mass action of {order} ions", unit, f"1e-10 {unit}", lowest=0.0)


def either_way(*stoichiometries: Mapping[str, int]) -> tuple[Mapping[str, int], ...]:
    """The stoichiometries, then each reversed."""
    reverse: Iterable[Mapping[str, int]] = (
        {ion: -n for ion, n in stoichiometry.items()} for stoichiometry in stoichiometries
    )
    return (*stoichiometries, *reverse)


@dataclass(frozen=True)
class TableLaw:
    """A law written as a table of the membrane, one number an ion: ``permeability = { K = "4e-8 m/s" }``."""

    name: str
    table: str
    description: str
    source: str
    kind: Kind


_NA_K = ({"Na": 3, "K": -2},)
_SITES = {"half_saturation.Na_inside": HALF_SATURATION, "half_saturation.K_outside": HALF_SATURATION}
_NOT_THERMODYNAMIC = "; driven by ATP, not thermodynamic: neither stops nor reverses at the free energy of ATP"
_REVERSIBLE = (
    "rate * (f - b) / (1 + b), f the bound fraction of the sites of the ions that a cycle takes up, "
    "b = f * exp(-(sum of stoichiometry * driving force - free_energy) / RT); driven by ATP, thermodynamic"
)
_MODULAR = "Liebermeister, Uhlendorf & Klipp 2010, Bioinformatics 26:1528, doi:10.1093/bioinformatics/btq141"
_POST_ALBERS = "Smith & Crampin 2004, Prog Biophys Mol Biol 85:387, doi:10.1016/j.pbiomolbio.2004.01.010"
_PASSIVE = "; driven by nothing, thermodynamic"

_NA_K_PUMPS = (
    Law(
        name="na_k_atpase_constant",
        description=f"Na,K-ATPase at a fixed rate: rate{_NOT_THERMODYNAMIC}",
        source="Tosteson & Hoffman 1960, J Gen Physiol 44:169; "
        "Kay 2017, Front Cell Dev Biol 5:41, doi:10.3389/fcell.2017.00041",
        arguments={"rate": RATE},
        stoichiometries=_NA_K,
        driven_by="ATP",
    ),
    Law(
        name="na_k_atpase_linear",
        description=f"Na,K-ATPase linear in Na inside, rate * Na.inside / 3, so that rate * Na.inside is the flux of "
        f"Na{_NOT_THERMODYNAMIC}",
        source="Hoppensteadt & Peskin 2002; Gabbiani & Cox, Mathematics for Neuroscientists, 2010",
        arguments={"rate": RATE_PER_CONCENTRATION},
        stoichiometries=_NA_K,
        driven_by="ATP",
    ),
    Law(
        name="na_k_atpase_power",
        description=f"Na,K-ATPase by the ratio of Na: rate * (Na.inside / Na.outside)^3{_NOT_THERMODYNAMIC}",
        source="Düsterwald et al. 2018, eLife 7:e39575, doi:10.7554/eLife.39575",
        arguments={"rate": RATE},
        stoichiometries=_NA_K,
        driven_by="ATP",
        never_zero=("Na.outside",),
    ),
    Law(
        name="na_k_atpase_cubic",
        description="Na,K-ATPase with three equal, independent sites for Na inside, two for K outside: "
        "rate * (Na.inside / (Na.inside + K_Na))^3 * (K.outside / (K.outside + K_K))^2" + _NOT_THERMODYNAMIC,
        source="Garay & Garrahan 1973, J Physiol 231:297, doi:10.1113/jphysiol.1973.sp010234 (Na sites); "
        "Läuger, Electrogenic Ion Pumps, 1991",
        arguments={
            "rate": RATE,
            "half_saturation.Na_inside": HALF_SATURATION,
            "half_saturation.K_outside": CONCENTRATION.positive("a half saturation", "1.5 mM"),
        },
        stoichiometries=_NA_K,
        driven_by="ATP",
    ),
    Law(
        name="na_k_atpase_hill",
        description="Na,K-ATPase with Hill exponents: rate / (1 + (K_Na / Na.inside)^n_Na) / "
        f"(1 + (K_K / K.outside)^n_K){_NOT_THERMODYNAMIC}",
        source="the form of Luo & Rudy 1994, Circ Res 74:1071, doi:10.1161/01.RES.74.6.1071",
        arguments={"rate": RATE, **_SITES, "exponent.Na_inside": EXPONENT, "exponent.K_outside": EXPONENT},
        stoichiometries=_NA_K,
        driven_by="ATP",
    ),
    Law(
        name="na_k_atpase_sigmoidal",
        description="Na,K-ATPase, sigmoidal: rate / (1 + exp((half_Na - Na.inside) / slope_Na)) / "
        f"(1 + exp((half_K - K.outside) / slope_K)){_NOT_THERMODYNAMIC}",
        source="Cressman et al. 2009, J Comput Neurosci 26:159, doi:10.1007/s10827-008-0132-4; "
        "Hübel & Dahlem 2014, PLoS Comput Biol 10:e1003941, doi:10.1371/journal.pcbi.1003941",
        arguments={
            "rate": RATE,
            "half.Na_inside": HALF,
            "half.K_outside": HALF,
            "slope.Na_inside": SLOPE,
            "slope.K_outside": SLOPE,
        },
        stoichiometries=_NA_K,
        driven_by="ATP",
    ),
    Law(
        name="na_k_atpase_reversible",
        description=f"Na,K-ATPase as a cycle that reverses: {_REVERSIBLE}",
        source=f"{_MODULAR}; {_POST_ALBERS}",
        arguments={"rate": RATE, **_SITES},
        stoichiometries=_NA_K,
        choices=_FUEL,
        driven_by="ATP",
        is_thermodynamic=True,
    ),
)

_OTHER_PUMPS = (
    Law(
        name="h_atpase",
        description="H-ATPase by a Hill law of H on the side it leaves: rate / (1 + (K_H / H)^n)" + _NOT_THERMODYNAMIC,
        source="after Läuger, Electrogenic Ion Pumps, 1991",
        arguments={
            "rate": RATE,
            "half_saturation.H": CONCENTRATION.positive("a half saturation", "100 nM"),
            "exponent.H": EXPONENT,
        },
        stoichiometries=either_way({"H": 1}, {"H": 2}, {"H": 3}, {"H": 4}),
        driven_by="ATP",
    ),
    Law(
        name="pmca",
        description="Ca-ATPase of the plasma membrane by a Hill law of Ca on the side it leaves: "
        f"rate / (1 + (K_Ca / Ca)^n), in exchange for H where stoichiometry has H{_NOT_THERMODYNAMIC}",
        source="Carafoli 1991, Physiol Rev 71:129; Thomas 2009, J Physiol 587:315 (2 H a Ca)",
        arguments={
            "rate": RATE,
            "half_saturation.Ca": CONCENTRATION.positive("a half saturation", "0.2 uM"),
            "exponent.Ca": EXPONENT,
        },
        stoichiometries=either_way({"Ca": 1}, {"Ca": 1, "H": -1}, {"Ca": 1, "H": -2}),
        driven_by="ATP",
    ),
    Law(
        name="serca",
        description="Ca-ATPase of the reticulum, 2 Ca into it (the inside of its membrane, unless stoichiometry has "
        f"Ca = 2), by a Hill law of Ca in the cytosol: rate / (1 + (K_Ca / Ca)^n){_NOT_THERMODYNAMIC}",
        source="Lytton et al. 1992, J Biol Chem 267:14483; "
        "De Young & Keizer 1992, PNAS 89:9895, doi:10.1073/pnas.89.20.9895",
        arguments={
            "rate": RATE,
            "half_saturation.Ca": CONCENTRATION.positive("a half saturation", "0.3 uM"),
            "exponent.Ca": EXPONENT,
        },
        stoichiometries=either_way({"Ca": -2}, {"Ca": -1}),
        driven_by="ATP",
    ),
    Law(
        name="atpase_reversible",
        description=f"any pump of one ATP a cycle, which reverses: {_REVERSIBLE}",
        source=f"{_MODULAR}; {_POST_ALBERS}; Tran et al. 2009, doi:10.1016/j.bpj.2008.11.045 (SERCA)",
        arguments={"rate": RATE, "half_saturation.*": HALF_SATURATION},
        choices=_FUEL,
        driven_by="ATP",
        is_thermodynamic=True,
    ),
)

_COUPLED = (
    Law(
        name="mass_action",
        description="any stoichiometry, difference of products: rate * (exp(z F V / 2 RT) * product of the activities "
        f"where a cycle takes ions - exp(-z F V / 2 RT) * product where it releases them){_PASSIVE}",
        source="Waage & Guldberg 1864; as in Vereninov et al. 2014, Cell Physiol Biochem 34:1812",
        arguments={"rate": RATE_OF_ORDER},
        is_thermodynamic=True,
    ),
    Law(
        name="saturating",
        description="any stoichiometry, saturating: rate * (f - b) / (1 + f + b), f and b the products of mass action "
        f"with each activity over its half saturation{_PASSIVE}",
        source=_MODULAR,
        arguments={"rate": RATE, "half_saturation.*": HALF_SATURATION},
        is_thermodynamic=True,
    ),
    Law(
        name="linear_force",
        description="any stoichiometry, linear: rate * sum of stoichiometry * driving force, or conductance / F^2 * "
        f"the same; for KCC2 conductance * (E_Cl - E_K) / F{_PASSIVE}",
        source="Doyon et al. 2011, PLoS Comput Biol 7:e1002149, doi:10.1371/journal.pcbi.1002149; "
        "Düsterwald et al. 2018, eLife 7:e39575, doi:10.7554/eLife.39575",
        arguments={},
        choices=({"conductance": CONDUCTANCE}, {"rate": RATE_PER_FORCE}),
        is_thermodynamic=True,
        never_zero=(EVERY_ION,),
    ),
    Law(
        name="log_ratio",
        description="any stoichiometry, logarithmic: rate * (ln(product of (inside / outside)^stoichiometry) + "
        f"z F V / RT){_PASSIVE}",
        source="Østby et al. 2009, PLoS Comput Biol 5:e1000272, doi:10.1371/journal.pcbi.1000272; "
        "Wei, Ullah & Schiff 2014, J Neurosci 34:11733, doi:10.1523/JNEUROSCI.0516-14.2014",
        arguments={"rate": RATE},
        is_thermodynamic=True,
        never_zero=(EVERY_ION,),
    ),
    Law(
        name="nkcc1_sigmoidal",
        description="NKCC1 switched on by K outside: rate / (1 + exp((half_K - K.outside) / slope_K)) * "
        f"ln(Na K Cl^2 inside / Na K Cl^2 outside){_PASSIVE}",
        source="Wei, Ullah & Schiff 2014, J Neurosci 34:11733, doi:10.1523/JNEUROSCI.0516-14.2014; "
        "Sætra et al. 2020, PLoS Comput Biol 16:e1007661, doi:10.1371/journal.pcbi.1007661",
        arguments={"rate": RATE, "half.K_outside": HALF, "slope.K_outside": SLOPE},
        stoichiometries=({"Na": 1, "K": 1, "Cl": 2},),
        is_thermodynamic=True,
        never_zero=(EVERY_ION,),
    ),
)

_CARRIERS = (
    Law(
        name="glut",
        description="symmetric glucose carrier: rate * (glucose.inside / (glucose.inside + h) - "
        f"glucose.outside / (glucose.outside + h)){_PASSIVE}",
        source="Carruthers 1990, doi:10.1152/physrev.1990.70.4.1135; "
        "Gruetter, Ugurbil & Seaquist 1998, doi:10.1046/j.1471-4159.1998.70010397.x",
        arguments={"rate": RATE, "half_saturation.glucose": HALF_SATURATION},
        stoichiometries=({"glucose": 1},),
        is_thermodynamic=True,
    ),
)

#: Laws by the name a pathway gives.
LIBRARY: Mapping[str, Law] = {law.name: law for law in (*_NA_K_PUMPS, *_OTHER_PUMPS, *_COUPLED, *_CARRIERS)}

#: The law of a pathway without a law that gives its rate as a formula.
FORMULA = Law(
    name="formula",
    description="custom rate, a formula over quantities of the membrane; driven by what the pathway gives as driven_by",
    source="the scenario",
    arguments={"rate": FORMULA_RATE},
)

#: Laws that are tables of a membrane, by the key of the table, in the order of their pathways in the model.
TABLES: Mapping[str, TableLaw] = {
    law.table: law
    for law in (
        TableLaw(
            "ghk",
            "permeability",
            "Goldman-Hodgkin-Katz flux, one ion each: permeability * z phi * (a.inside - a.outside * exp(-z phi)) / "
            f"(1 - exp(-z phi)), phi = F V / RT, a the activities; Fick's law where z = 0{_PASSIVE}",
            "Goldman 1943, J Gen Physiol 27:37, doi:10.1085/jgp.27.1.37; "
            "Hodgkin & Katz 1949, J Physiol 108:37, doi:10.1113/jphysiol.1949.sp004310",
            PERMEABILITY,
        ),
        TableLaw(
            "ohmic",
            "conductance",
            f"current of one ion each: conductance * (V - E_ion){_PASSIVE}",
            "Hodgkin & Huxley 1952, J Physiol 117:500, doi:10.1113/jphysiol.1952.sp004764",
            CONDUCTANCE,
        ),
    )
}
