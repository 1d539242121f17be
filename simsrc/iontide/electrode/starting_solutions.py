"""The solutions in the compartments of a model at its start, for junctions between them."""

from __future__ import annotations

from collections.abc import Mapping

from ..equations.initial_state import initial_state
from ..equations.states import lay_out
from ..model.model import Model
from ..model.schedule import segments_of, values_of
from ..physics.ions import Ion, find_ion


def starting_solutions(model: Model) -> dict[str, dict[str, float]]:
    """Concentrations of every solute of every compartment at the start, impermeants too, mol m⁻³."""
    values = values_of(model, segments_of(model)[:1])[0]
    layout = lay_out(model)
    initial = initial_state(model, layout, values)
    result: dict[str, dict[str, float]] = {}
    for c in model.compartments.values():
        path = f"compartments.{c.name}"
        held = {name: float(values[f"{path}.concentrations.{name}"]) for name in c.concentrations}
        charge = sum(model.species[name].valence * value for name, value in held.items())
        for i in c.impermeants:
            if c.is_finite:
                volume = layout.volume_index.get(c.name)
                size = values[f"{path}.volume"] if volume is None else initial.y[volume]
                held[i.name] = float(initial.impermeant_amounts[c.name, i.name] / size)
            elif not i.balances:
                held[i.name] = float(values[f"{path}.impermeants.{i.name}.concentration"])
            charge += i.valence * held.get(i.name, 0.0)
        for i in c.impermeants:
            if i.balances and not c.is_finite:
                held[i.name] = -charge / i.valence
        result[c.name] = held
    return result


def solutes_of(model: Model) -> Mapping[str, Ion]:
    """Every solute of a model as a junction sees it, by name; one of no known mobility has none."""
    result = {
        s.name: Ion(s.name, s.valence, s.diffusion_coefficient, s.ion_size, s.truesdell_jones)
        for s in model.species.values()
    }
    for c in model.compartments.values():
        for i in c.impermeants:
            library = find_ion(i.name)
            if i.name not in result and (library is None or library.valence != i.valence):
                # The valence of an impermeant is a mean, which need not be whole.
                result[i.name] = Ion(i.name, i.valence)  # type: ignore[arg-type]
    return result
