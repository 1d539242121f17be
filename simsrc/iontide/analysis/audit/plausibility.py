"""Plausibility warnings: what can be simulated but is nearly always a mistake, of a model before and after it runs."""

from __future__ import annotations

from collections.abc import Iterator

from ...constants import ZERO_CELSIUS
from ...formulas.formula import Formula, evaluate_float
from ...model.model import Compartment, Model, Quantity
from ...model.schedule import Segment, segments_of

#: Temperatures (K) and potentials (V) beyond which a warning asks whether they are meant.
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE, HIGHEST_POTENTIAL = 250.0, 400.0, 1.0

#: Mismatch of the charges of a bath that passes for rounding, as a fraction of all charge.
CHARGE_TOLERANCE = 1e-3


def plausibility_warnings(model: Model) -> list[str]:
    """Warnings, as sentences; empty where nothing seems wrong.

    Temperatures no solution has, potentials that no membrane withstands, baths that a protocol leaves with a net
    charge, parameters that nothing uses.
    """
    segments = segments_of(model)
    return [
        *_temperatures(model, segments),
        *_potentials(model, segments[0]),
        *_charged_baths(model, segments),
        *_unused(model),
    ]


def _temperatures(model: Model, segments: list[Segment]) -> Iterator[str]:
    reported: set[bool] = set()
    for kelvin in _kelvins(model, segments):
        low = kelvin < LOWEST_TEMPERATURE
        if (LOWEST_TEMPERATURE <= kelvin <= HIGHEST_TEMPERATURE) or low in reported:
            continue
        reported.add(low)
        sentence = f"a temperature of {kelvin:.6g} K is {'colder' if low else 'hotter'} than any solution"
        celsius = kelvin - ZERO_CELSIUS
        if low and kelvin < 120.0:
            yield f"{sentence}; is {kelvin:.6g} degC meant?"
        elif not low and LOWEST_TEMPERATURE <= celsius <= HIGHEST_TEMPERATURE:
            yield f"{sentence}; is {celsius:.6g} K meant?"
        else:
            yield sentence


def _kelvins(model: Model, segments: list[Segment]) -> Iterator[float]:
    """The temperatures of a run at the start, and where they change at both ends of every segment."""
    for segment in segments if model.changes(model.temperature) else segments[:1]:
        known = model.parameter_values(segment.settings)
        known["t"] = segment.start
        yield from _value(model.temperature, known)
        length = segment.end - segment.start
        if segment.slopes:
            known |= {name: known[name] + slope * length for name, slope in segment.slopes.items()}
            yield from _value(model.temperature, known)


def _value(quantity: Quantity, known: dict[str, float]) -> Iterator[float]:
    """The value of a quantity over parameters, SI; nothing where it follows what is not known here."""
    if not isinstance(quantity, Formula):
        yield quantity
    elif quantity.names <= known.keys():
        yield evaluate_float(quantity, known)


def _potentials(model: Model, start: Segment) -> Iterator[str]:
    known = model.parameter_values(start.settings)
    for membrane in model.membranes.values():
        if membrane.potential is None or membrane.potential == "ghk":
            continue
        for volt in _value(membrane.potential, known):
            yield from _too_high(f"the initial potential of {membrane.name}", volt)
    for clamp in model.clamps:
        for hold in clamp.holds:
            for volt in _value(hold.value, known):
                yield from _too_high(f"a potential at which {clamp.membrane} is held", volt)


def _too_high(what: str, volt: float) -> Iterator[str]:
    if abs(volt) > HIGHEST_POTENTIAL:
        sentence = f"{what}, {volt:.6g} V, is more than a membrane withstands"
        yield f"{sentence}; is {volt:.6g} mV meant?" if abs(volt) < 1e3 else sentence


def _charged_baths(model: Model, segments: list[Segment]) -> Iterator[str]:
    """Baths that were neutral at the start and are not once the protocol has changed them, each reported once."""
    changed = [
        c
        for c in model.compartments.values()
        if not c.is_finite and any(model.changes(q) for q in c.concentrations.values())
    ]
    reported: set[str] = set()
    for number, segment in enumerate(segments if changed else ()):
        known = model.parameter_values(segment.settings) | {"t": segment.start}
        length = segment.end - segment.start
        reached = known | {name: known[name] + slope * length for name, slope in segment.slopes.items()}
        for c in changed:
            for values, time in ((known, segment.start), (reached, segment.end)):
                excess, present = _charge(model, c, values)
                if c.name in reported or abs(excess) <= CHARGE_TOLERANCE * present:
                    continue
                reported.add(c.name)
                if number or time > 0.0:
                    yield (
                        f"from t = {time:g} s on the charges in {c.name} do not balance: {excess:+.4g} mM is left "
                        "over; a solution changes by pairs of ions, so change another along with it"
                    )


def _charge(model: Model, bath: Compartment, known: dict[str, float]) -> tuple[float, float]:
    """Net charge of a bath and all that is there, mol m⁻³; none where a concentration is not known here."""
    terms = []
    for name, quantity in bath.concentrations.items():
        terms += [model.species[name].valence * c for c in _value(quantity, known)]
    for impermeant in bath.impermeants:
        if impermeant.concentration is not None:
            terms += [impermeant.valence * c for c in _value(impermeant.concentration, known)]
    return sum(terms), sum(map(abs, terms))


def _unused(model: Model) -> Iterator[str]:
    """Parameters that no quantity is made of, neither at the start nor where something is set."""
    quantities = [q for path, q in model.quantities() if not path.startswith("parameters.")]
    used: set[str] = set()
    reached = _names(quantities)
    while reached - used:
        used |= reached
        made = [model.parameters[name].value for name in used & model.parameters.keys()]
        made += [q for settings in model.every_setting for name, q in settings.items() if name in used]
        reached = _names(made)
    names = [name for name in model.parameters if name not in used]
    if names:
        every = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        yield f"nothing uses the parameter{'s' if len(names) > 1 else ''} {every}"


def _names(quantities: list[Quantity]) -> set[str]:
    return set().union(*(q.names for q in quantities if isinstance(q, Formula)))
