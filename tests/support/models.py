"""Small models that the tests share, built in Python; SI throughout (mol m⁻³ = mM).

Change one with ``dataclasses.replace``; ``with_simulation`` and ``with_recording`` do so for the commonest changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import pi
from typing import Any

from iontide.formulas.formula import parse_formula
from iontide.model.model import (
    Compartment,
    Impermeant,
    Membrane,
    Model,
    Parameter,
    ParameterStep,
    Pathway,
    Recording,
    Simulation,
    Species,
)

#: The common cell of the reference problems: a sphere of radius 10 µm, 1 µF/cm², 37 °C.
RADIUS = 10e-6
AREA = 4.0 * pi * RADIUS**2
VOLUME = 4.0 / 3.0 * pi * RADIUS**3
CAPACITANCE = 0.01
TEMPERATURE = 310.15

#: Permeability of K⁺ in P1, m/s.
P_K = 4e-8

K, NA, CL = Species("K", 1), Species("Na", 1), Species("Cl", -1)


def by_name(items: Iterable[Any]) -> dict[str, Any]:
    """Named things as the mapping that a model wants."""
    return {item.name: item for item in items}


def ghk(ion: str, permeability: Any) -> Pathway:
    """Constant-field pathway of one ion; permeability in m/s."""
    return Pathway(f"permeability.{ion}", "ghk", {ion: 1}, {"": permeability})


def ohmic(ion: str, conductance: Any) -> Pathway:
    """Ohmic pathway of one ion; conductance in S/m²."""
    return Pathway(f"conductance.{ion}", "ohmic", {ion: 1}, {"": conductance})


def na_k_pump(rate: Any) -> Pathway:
    """The Na/K pump of P2; rate in cycles, mol m⁻² s⁻¹."""
    return Pathway(
        "pathways.pump",
        "na_k_atpase_cubic",
        {"Na": 3, "K": -2},
        {"rate": rate, "half_saturation.Na_inside": 10.0, "half_saturation.K_outside": 1.5},
        driven_by="ATP",
    )


def with_simulation(model: Model, **changes: Any) -> Model:
    """The model with another duration, rtol, stop_at_steady_state or max_steps."""
    return replace(model, simulation=replace(model.simulation, **changes))


def with_recording(model: Model, spacing: str = "linear", **changes: Any) -> Model:
    """The model with another recording."""
    return replace(model, recording=Recording(spacing, **changes))  # type: ignore[arg-type]


def p1() -> Model:
    """Reference problem P1: a passive cell from V = 0 to its Donnan equilibrium, with 2 ms and 1000 s modes."""
    inside = {"K": 140.0, "Na": 10.0, "Cl": 10.0}
    outside = {"K": 4.0, "Na": 146.0, "Cl": 150.0}
    return Model(
        title="P1",
        species=by_name([K, NA, CL]),
        compartments=by_name(
            [
                Compartment("cell", "finite", VOLUME, inside, (Impermeant("A", -1.0, concentration=140.0),)),
                Compartment("bath", "bath", None, outside),
            ]
        ),
        membranes=by_name(
            [
                Membrane(
                    "plasma",
                    "cell",
                    "bath",
                    AREA,
                    CAPACITANCE,
                    potential=0.0,
                    pathways=(ghk("K", P_K), ghk("Na", 0.04 * P_K), ghk("Cl", 0.45 * P_K)),
                )
            ]
        ),
        simulation=Simulation(duration=36_000.0),
        temperature=TEMPERATURE,
    )


def pump_leak() -> Model:
    """P1 with a Na/K pump that ouabain stops from 10 000 to 20 000 s (parameter ``pump_rate``)."""
    model = p1()
    plasma = model.membranes["plasma"]
    pump = na_k_pump(parse_formula("pump_rate"))
    return replace(
        model,
        title="pump-leak",
        membranes={"plasma": replace(plasma, pathways=(*plasma.pathways, pump))},
        parameters={"pump_rate": Parameter("pump_rate", 1.4e-6)},
        protocol=(ParameterStep(10_000.0, 20_000.0, {"pump_rate": 0.0}),),
    )


def series() -> Model:
    """Two membranes in series: bath ``left``, finite ``middle``, bath ``right``; ``first`` and ``second`` membranes.

    ``middle`` is the inside of both. The baths differ, so it ends in a steady state that is no equilibrium.
    """
    return Model(
        title="two membranes in series",
        species=by_name([K, NA, CL]),
        compartments=by_name(
            [
                Compartment("left", "bath", None, {"K": 5.0, "Na": 145.0, "Cl": 150.0}),
                Compartment(
                    "middle",
                    "finite",
                    VOLUME,
                    {"K": 120.0, "Na": 20.0, "Cl": 30.0},
                    (Impermeant("A", -1.0),),
                ),
                Compartment("right", "bath", None, {"K": 20.0, "Na": 80.0, "Cl": 100.0}),
            ]
        ),
        membranes=by_name(
            [
                Membrane(
                    "first",
                    "middle",
                    "left",
                    AREA,
                    CAPACITANCE,
                    potential=-0.03,
                    pathways=(ghk("K", 2 * P_K), ghk("Na", 0.1 * P_K), ghk("Cl", 0.5 * P_K)),
                ),
                Membrane(
                    "second",
                    "middle",
                    "right",
                    0.5 * AREA,
                    2 * CAPACITANCE,
                    pathways=(ghk("K", 0.3 * P_K), ghk("Na", P_K), ghk("Cl", P_K)),
                ),
            ]
        ),
        simulation=Simulation(duration=20_000.0),
        temperature=TEMPERATURE,
    )


def two_cells() -> Model:
    """Cells ``left`` and ``right`` in one bath, each with its membrane of that name, joined by a ``junction``.

    The junction has no capacitance of its own.
    """
    contents = ({"K": 140.0, "Na": 10.0, "Cl": 10.0}, {"K": 120.0, "Na": 30.0, "Cl": 25.0})
    passes = (ghk("K", P_K), ghk("Na", 0.04 * P_K), ghk("Cl", 0.45 * P_K))
    cells = [
        Compartment(name, "finite", VOLUME, inside, (Impermeant("A", -1.0),))
        for name, inside in zip(("left", "right"), contents, strict=True)
    ]
    bath = Compartment("bath", "bath", None, {"K": 4.0, "Na": 146.0, "Cl": 150.0})
    membranes = [
        Membrane(name, name, "bath", AREA, CAPACITANCE, v, passes) for name, v in (("left", -0.06), ("right", -0.05))
    ]
    junction = Membrane("junction", "left", "right", 1e-2 * AREA, 0.0, None, (ghk("K", P_K), ghk("Cl", P_K)))
    return Model(
        title="two cells and a gap junction",
        species=by_name([K, NA, CL]),
        compartments=by_name([*cells, bath]),
        membranes=by_name([*membranes, junction]),
        simulation=Simulation(duration=1000.0),
        temperature=TEMPERATURE,
    )


def closed_pair() -> Model:
    """Two finite compartments and nothing else: ``a`` (the inside) and ``b`` (the ground); all totals are kept."""
    return Model(
        title="closed pair",
        species=by_name([K, NA, CL]),
        compartments=by_name(
            [
                Compartment("a", "finite", VOLUME, {"K": 130.0, "Na": 15.0, "Cl": 20.0}, (Impermeant("A", -1.0),)),
                Compartment("b", "finite", 2 * VOLUME, {"K": 5.0, "Na": 140.0, "Cl": 144.0}, (Impermeant("B", -1.0),)),
            ]
        ),
        membranes=by_name(
            [
                Membrane(
                    "wall",
                    "a",
                    "b",
                    AREA,
                    CAPACITANCE,
                    potential=-0.02,
                    pathways=(ghk("K", P_K), ghk("Na", 0.3 * P_K), ghk("Cl", 0.6 * P_K)),
                )
            ]
        ),
        simulation=Simulation(duration=36_000.0),
        temperature=TEMPERATURE,
    )


def single_ion(valence: int, inside: float = 100.0, outside: float = 10.0) -> Model:
    """One permeant species ``X`` of any valence, 0 too, between a cell and a bath, from V = 0.

    An impermeant of the other sign balances the cell. The cell charges until V is X's Nernst potential (it moves
    few ions for that); a neutral X diffuses until both sides are equal.
    """
    impermeants = (Impermeant("Y", -1.0 if valence > 0 else 1.0),) if valence else ()
    return Model(
        title=f"one ion of valence {valence:+d}",
        species=by_name([Species("X", valence)]),
        compartments=by_name(
            [
                Compartment("cell", "finite", VOLUME, {"X": inside}, impermeants),
                Compartment("bath", "bath", None, {"X": outside}),
            ]
        ),
        membranes=by_name(
            [Membrane("plasma", "cell", "bath", AREA, CAPACITANCE, potential=0.0, pathways=(ghk("X", P_K),))]
        ),
        simulation=Simulation(duration=36_000.0),
        temperature=TEMPERATURE,
    )
