"""Random models of everything that the language has, for the invariants of ``test_physics_everything``.

What a model is made of is drawn feature by feature; a test names the features that its law does not hold for. Numbers
are of the size of a cell's, so that runs are short, but not tame: a run may also end in depletion.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from iontide.constants import FARADAY as F
from iontide.formulas.formula import Formula, parse_formula
from iontide.model.circuit import connected_parts
from iontide.model.model import (
    Clamp,
    Compartment,
    Event,
    Exchange,
    Gate,
    Hold,
    Impermeant,
    Injection,
    IonClamp,
    Membrane,
    Model,
    Parameter,
    ParameterStep,
    Pathway,
    Reaction,
    Recording,
    Simulation,
    Source,
    Species,
)
from tests.support.models import by_name

#: Valence, and ion size (m); ``CaBuf`` is what ``Ca`` and ``Buf`` make.
SPECIES = {
    "K": (1, 3e-10),
    "Na": (1, 4e-10),
    "Cl": (-1, 3e-10),
    "Ca": (2, 6e-10),
    "SO4": (-2, 4e-10),
    "glucose": (0, None),
    "Buf": (-1, 5e-10),
    "CaBuf": (1, 5e-10),
}
#: Dissociation constant of ``CaBuf``, mol m⁻³, the same wherever it reacts.
DISSOCIATION = 2.0

#: All that a model may have besides compartments, membranes and leaks.
FEATURES = frozenset(
    {
        *("coupled", "pump", "atp", "gates", "formula", "ohmic"),
        *("water", "wall", "reflection", "geometry", "osmotic equilibrium"),
        *("reaction", "exchange", "source", "injection", "uncarried injection"),
        *("constant activity", "activity model"),
        *("no capacitance", "second bath", "floating bath", "closed"),
        *("clamp", "ion clamp", "protocol", "ramp", "warming", "event"),
    }
)
#: What supplies energy, so that nothing need come to rest.
DRIVES = frozenset(
    {
        *("pump", "atp", "exchange", "source", "injection", "uncarried injection", "second bath"),
        *("clamp", "ion clamp", "protocol", "ramp", "warming", "event"),
    }
)

DURATION = 2000.0


def decades(low: float, high: float) -> st.SearchStrategy[float]:
    """A random number, evenly in its logarithm, with few digits."""
    return st.floats(np.log10(low), np.log10(high)).map(lambda x: float(f"{10.0**x:.6g}"))


def rounded(low: float, high: float, digits: int) -> st.SearchStrategy[float]:
    """A random number with few digits."""
    return st.floats(low, high).map(lambda x: round(x, digits))


@st.composite
def models(
    draw, without: Collection[str] = (), most: int = 3, features: int = 6, always: Collection[str] = ()
) -> Model:
    """Any model whose features are not ``without``; up to ``features`` of them at once, ``always`` among them."""
    free = sorted(FEATURES - set(without) - set(always))
    has = {*always, *draw(st.lists(st.sampled_from(free), min_size=min(1, len(free)), max_size=features, unique=True))}
    ions = draw(
        st.lists(st.sampled_from(["K", "Na", "Cl", "Ca", "SO4", "glucose"]), min_size=2, max_size=4, unique=True)
    )
    wanted = {"pump": ("Na", "K"), "reaction": ("Ca", "Buf", "CaBuf"), "atp": ("K",), "formula": ("K",)}
    ions += [x for feature, names in wanted.items() if feature in has for x in names if x not in ions]
    ions = list(dict.fromkeys(ions))
    names, potentials = draw(places(has, most))
    compartments = {name: draw(compartment(name, ions, has)) for name in names}
    membranes = draw(between(names, potentials, ions, has))
    compartments, membranes = draw(with_water(compartments, membranes, has))
    model = Model(
        species=by_name([Species(x, SPECIES[x][0], ion_size=SPECIES[x][1]) for x in ions]),
        compartments=compartments,
        membranes=membranes,
        simulation=Simulation(DURATION),
        temperature=draw(rounded(283.0, 313.0, 2)),
        parameters={"scale": Parameter("scale", 1.0)},
        recording=Recording("log", points=60, first=1e-6),
    )
    model = draw(with_traffic(model, has))
    model = draw(with_protocol(model, has))
    return draw(with_clamps_and_events(model, has))


@st.composite
def places(draw, has: Collection[str], most: int) -> tuple[list[str], dict[str, float]]:
    """Names of compartments (``c…`` finite, ``bath…``, ``float``) and the potential at which each starts, V."""
    closed = "closed" in has and not {"osmotic equilibrium", "injection", "uncarried injection"} & set(has)
    finite = draw(st.integers(2 if closed else 1, most))
    names = [f"c{i}" for i in range(finite)]
    if not closed:
        names.append("bath")
        # Of two baths the first membrane would tell which one water is in equilibrium with.
        if "second bath" in has and "osmotic equilibrium" not in has:
            names.append("bath2")
    if "floating bath" in has and "osmotic equilibrium" not in has:
        names.append("float")
    grounds = {"bath", "bath2"} if not closed else {names[-1]}
    return names, {n: 0.0 if n in grounds else draw(rounded(-0.08, 0.08, 4)) for n in names}


@st.composite
def compartment(draw, name: str, ions: list[str], has: Collection[str]) -> Compartment:
    """A solution that an impermeant makes neutral."""
    held = {x: draw(decades(0.5, 150.0)) for x in ions}
    if "CaBuf" in held:
        held["Ca"], held["Buf"] = draw(decades(0.05, 2.0)), draw(decades(0.5, 10.0))
        held["CaBuf"] = draw(decades(0.05, 5.0))
        if not name.startswith("c"):
            held["CaBuf"] = held["Ca"] * held["Buf"] / DISSOCIATION
    gamma = {}
    if "constant activity" in has:
        gamma = {x: draw(rounded(0.5, 1.1, 3)) for x in ions if draw(st.booleans())}
    activity = draw(st.sampled_from(["debye_hueckel", "davies"])) if "activity model" in has else "ideal"
    kind = "finite" if name.startswith("c") else "floating bath" if name == "float" else "bath"
    fixed: tuple[Impermeant, ...] = ()
    if kind == "finite":
        charge = sum(SPECIES[x][0] * c for x, c in held.items())
        if abs(charge) > 1.0 and draw(st.booleans()):
            fixed = (Impermeant("fixed", -1.0 if charge > 0 else 1.0),)
        else:
            fixed = (Impermeant("fixed", -1.5 if charge > 0 else 1.5, concentration=abs(charge) / 1.5),)
        fixed += (Impermeant("inert", 0.0, concentration=draw(decades(1.0, 50.0))),)
    else:  # as concentrated as a cell's solutes may be
        fixed = (Impermeant("inert", 0.0, concentration=draw(rounded(100.0, 300.0, 1))),)
    volume = draw(decades(5e-16, 5e-15)) if kind == "finite" else None
    return Compartment(name, kind, volume, held, fixed, gamma, activity=activity)


@st.composite
def between(draw, names, potentials, ions, has) -> dict[str, Membrane]:
    """A tree of membranes, and perhaps one that closes a ring or doubles another."""
    pairs = [(names[i], names[draw(st.integers(0, i - 1))]) for i in range(1, len(names))]
    # Not between two grounds, where nothing could be seen.
    pairs = [(a, names[0]) if a.startswith("bath") and b.startswith("bath") else (a, b) for a, b in pairs]
    if draw(st.booleans()):
        pairs.append((names[0], names[-1]))
    membranes = {}
    for i, pair in enumerate(pairs):
        inside, outside = pair if draw(st.booleans()) else pair[::-1]
        bare = "no capacitance" in has and draw(st.booleans())
        start = round(potentials[inside] - potentials[outside], 6)
        ways = draw(pathways(ions, has, bare))
        capacitance = 0.0 if bare else draw(rounded(0.005, 0.02, 4))
        area = draw(decades(3e-10, 3e-9))
        membranes[f"m{i}"] = Membrane(f"m{i}", inside, outside, area, capacitance, None if bare else start, ways)
    return membranes


@st.composite
def pathways(draw, ions, has, bare) -> tuple[Pathway, ...]:
    """Leaks, and what else the model has."""
    ways = []
    for x in ions:
        kinds = ["ghk", "ghk", None] + (["ohmic"] if "ohmic" in has and SPECIES[x][0] else [])
        kind = draw(st.sampled_from(["ghk"] if bare else kinds))
        if kind == "ghk":
            permeability = draw(decades(1e-9, 1e-7))
            if draw(st.booleans()):
                permeability = parse_formula(f"{permeability!r} * scale")
            ways.append(Pathway(f"permeability.{x}", "ghk", {x: 1}, {"": permeability}))
        elif kind == "ohmic":
            ways.append(Pathway(f"conductance.{x}", "ohmic", {x: 1}, {"": draw(decades(0.02, 2.0))}))
    if "coupled" in has:
        ways.append(draw(coupled(ions)))
    if "pump" in has and draw(st.booleans()):
        ways.append(draw(pump()))
    if "atp" in has:
        ways.append(draw(atp_cycle(ions)))
    if "gates" in has:
        ways.append(draw(channel(draw(st.sampled_from(ions)))))
    if "formula" in has:
        ways.append(draw(own_law(draw(st.sampled_from([x for x in ions if SPECIES[x][0]])))))
    return tuple(ways)


@st.composite
def coupled(draw, ions) -> Pathway:
    """A cotransporter or exchanger of any stoichiometry."""
    chosen = draw(st.lists(st.sampled_from(ions), min_size=1, max_size=3, unique=True))
    stoichiometry = {x: draw(st.sampled_from([-2, -1, 1, 2])) for x in chosen}
    law = draw(st.sampled_from(["mass_action", "saturating", "linear_force", "log_ratio"]))
    order = sum(map(abs, stoichiometry.values()))
    arguments = {
        "mass_action": {"rate": draw(decades(1e-8, 1e-6)) / 30.0**order},
        "saturating": {"rate": draw(decades(1e-7, 1e-5)), **{f"half_saturation.{x}": 20.0 for x in stoichiometry}},
        "linear_force": {"conductance": draw(decades(0.01, 1.0))},
        "log_ratio": {"rate": draw(decades(1e-8, 3e-7))},
    }[law]
    return Pathway("pathways.coupled", law, stoichiometry, arguments)


@st.composite
def pump(draw) -> Pathway:
    """The Na/K-ATPase in one of its forms."""
    rate = draw(decades(2e-7, 2e-6))
    halves = {"half_saturation.Na_inside": 10.0, "half_saturation.K_outside": 1.5}
    law, arguments = draw(
        st.sampled_from(
            [
                ("na_k_atpase_constant", {"rate": 0.05 * rate}),
                ("na_k_atpase_linear", {"rate": 0.03 * rate}),
                ("na_k_atpase_power", {"rate": rate}),
                ("na_k_atpase_cubic", {"rate": rate, **halves}),
                ("na_k_atpase_hill", {"rate": rate, **halves, "exponent.Na_inside": 1.5, "exponent.K_outside": 1.0}),
                (
                    "na_k_atpase_sigmoidal",
                    {"rate": rate, "half.Na_inside": 25.0, "half.K_outside": 5.5}
                    | {"slope.Na_inside": 3.0, "slope.K_outside": 1.0},
                ),
                ("na_k_atpase_reversible", {"rate": rate, **halves, "free_energy": -57e3}),
                (
                    "na_k_atpase_reversible",
                    {"rate": rate, **halves, "standard_free_energy": -32e3, "half_saturation.ATP": 0.1}
                    | {"ATP": 5.0, "ADP": 0.5, "Pi": 5.0},
                ),
            ]
        )
    )
    return Pathway("pathways.pump", law, {"Na": 3, "K": -2}, arguments, driven_by="ATP")


@st.composite
def atp_cycle(draw, ions) -> Pathway:
    """A thermodynamic pump of any ions, or one by the Hill law."""
    x = draw(st.sampled_from(ions))
    if draw(st.booleans()):
        arguments = {"rate": draw(decades(1e-8, 1e-6)), f"half_saturation.{x}": 5.0, f"exponent.{x}": 2.0}
        return Pathway("pathways.atp", "pmca", {x: draw(st.sampled_from([-1, 1]))}, arguments, driven_by="ATP")
    stoichiometry = {y: draw(st.sampled_from([-2, -1, 1, 2])) for y in dict.fromkeys((x, "K"))}
    arguments = {"rate": draw(decades(1e-8, 1e-6)), "free_energy": draw(rounded(-60e3, -20e3, 0))}
    arguments |= {f"half_saturation.{y}": 8.0 for y in stoichiometry}
    return Pathway("pathways.atp", "atpase_reversible", stoichiometry, arguments, driven_by="ATP")


@st.composite
def channel(draw, ion) -> Pathway:
    """A gated channel with gates of one of the three kinds."""
    half, slope = draw(rounded(-0.06, 0.02, 3)), draw(rounded(0.005, 0.02, 4))
    steady = parse_formula(f"1 / (1 + exp(-(V - {half!r}) / {slope!r}))")
    gates = {
        "rates": Gate(
            "m",
            alpha=parse_formula(f"50 * exp((V - {half!r}) / {slope!r} / 2)"),
            beta=parse_formula(f"50 * exp(-(V - {half!r}) / {slope!r} / 2)"),
            initial=draw(st.sampled_from([None, 0.3])),
        ),
        "steady": Gate("m", steady=steady, time_constant=draw(decades(1e-3, 10.0)), speed=parse_formula("2 * scale")),
        "instant": Gate("m", steady=steady),
    }
    gate = gates[draw(st.sampled_from(sorted(gates)))]
    power = draw(st.integers(1, 3))
    permeability = parse_formula(f"{draw(decades(3e-9, 1e-7))!r} * m^{power}")
    return Pathway("pathways.channel", "ghk", {ion: 1}, {"": permeability}, gates=(gate,))


@st.composite
def own_law(draw, ion) -> Pathway:
    """A passive law of one's own: an ohmic conductance that rectifies."""
    conductance = draw(decades(0.02, 1.0))
    rate = f"{conductance!r} / {SPECIES[ion][0] * F!r} * (V - E.{ion}) * (1 + {ion}.inside / ({ion}.outside + 10))"
    return Pathway("pathways.own", "formula", {ion: 1}, {"rate": parse_formula(rate)})


@st.composite
def with_water(draw, compartments, membranes, has):
    """Water through some membranes, walls, and areas that follow the volume."""
    compartments, membranes = dict(compartments), dict(membranes)
    for name, m in membranes.items():
        finite = [c for c in (m.inside, m.outside) if compartments[c].is_finite]
        changes = {}
        if "osmotic equilibrium" in has and len(finite) == 1 and compartments[finite[0]].water == "fixed":
            compartments[finite[0]] = replace(compartments[finite[0]], water="equilibrium")
        elif (
            "water" in has
            and finite
            and not any(compartments[c].water == "equilibrium" for c in finite)
            and (all(compartments[c].water == "osmotic" for c in finite) or draw(st.booleans()))
        ):
            compartments |= {c: replace(compartments[c], water="osmotic") for c in finite}
            changes["water_permeability"] = draw(decades(1e-6, 3e-5))
            if "reflection" in has:
                solute = draw(st.sampled_from([*compartments[finite[0]].concentrations, "inert"]))
                changes["reflection"] = {solute: draw(rounded(0.1, 1.0, 3))}
            if "wall" in has and m.inside in finite:
                changes["slack_volume"] = compartments[m.inside].volume * draw(rounded(0.9, 1.2, 3))
                changes["elastic_modulus"] = draw(decades(1e4, 1e6))
        if "geometry" in has and m.inside in finite:
            changes["geometry"] = draw(st.sampled_from(["sphere", "cylinder"]))
            if changes["geometry"] == "cylinder":
                changes["length"] = draw(decades(1e-5, 1e-4))
        membranes[name] = replace(m, **changes)
    return compartments, membranes


@st.composite
def with_traffic(draw, model: Model, has) -> Model:
    """Reactions, rinses, sources and injected currents."""
    finite = [c for c in model.compartments.values() if c.is_finite]
    changes: dict = {}
    if "reaction" in has:
        chosen = [c for c in finite if c is finite[0] or draw(st.booleans())]
        speed = draw(decades(0.01, 10.0))
        changes["reactions"] = tuple(
            Reaction(f"binds_{c.name}", c.name, {"Ca": 1, "Buf": 1}, {"CaBuf": 1}, speed, speed * DISSOCIATION)
            for c in chosen
        )
    if "exchange" in has:
        inside = draw(st.sampled_from(finite)).name
        outside = draw(st.sampled_from([n for n in model.compartments if n != inside]))
        changes["exchanges"] = (Exchange("rinse", inside, outside, draw(decades(1e-4, 1e-2))),)
    if "source" in has:
        into = draw(st.sampled_from(finite))
        charged = [x for x in into.concentrations if SPECIES[x][0] > 0]
        negative = [x for x in into.concentrations if SPECIES[x][0] < 0]
        stoichiometry = {x: 1 for x in into.concentrations if SPECIES[x][0] == 0} or None
        if charged and negative:
            a, b = draw(st.sampled_from(charged)), draw(st.sampled_from(negative))
            stoichiometry = {a: -SPECIES[b][0], b: SPECIES[a][0]}
        if stoichiometry:
            rate = draw(rounded(-1e-3, 3e-3, 5)) * into.volume
            changes["sources"] = (Source("feed", into.name, stoichiometry, rate),)
    found = []
    for kind in ("injection", "uncarried injection"):
        if kind in has:
            part = next((p for p in connected_parts(model) if "bath" in p), [])
            inner = [c.name for c in finite if c.name in part]
            if inner:
                ion = (
                    draw(st.sampled_from([x for x in model.species if SPECIES[x][0]])) if kind == "injection" else None
                )
                into = draw(st.sampled_from(inner))
                out_of = draw(st.sampled_from([None, *(n for n in part if n != into and n != "float")]))
                current = draw(rounded(-3e-12, 3e-12, 14))
                current = parse_formula(f"{current!r} * scale") if draw(st.booleans()) else current
                found.append(Injection(kind.replace(" ", "_"), into, ion, current, out_of))
    return replace(model, **changes, injections=tuple(found))


@st.composite
def with_protocol(draw, model: Model, has) -> Model:
    """Steps and ramps of ``scale``, and of the temperature."""
    steps = []
    parameters = dict(model.parameters)
    if "protocol" in has:
        start = draw(rounded(0.0, 500.0, 1))
        steps.append(
            ParameterStep(start, draw(st.sampled_from([None, start + 300.0])), {"scale": draw(decades(0.2, 5.0))})
        )
    if "ramp" in has:
        steps.append(ParameterStep(draw(rounded(0.0, 900.0, 1)), None, {"scale": draw(decades(0.2, 5.0))}, 200.0))
    temperature = model.temperature
    if "warming" in has:
        parameters["heat"] = Parameter("heat", temperature)
        temperature = parse_formula("heat")
        steps.append(
            ParameterStep(600.0, None, {"heat": draw(rounded(283.0, 313.0, 2))}, draw(st.sampled_from([0.0, 100.0])))
        )
    return replace(model, parameters=parameters, protocol=tuple(steps), temperature=temperature)


@st.composite
def with_clamps_and_events(draw, model: Model, has) -> Model:
    """A voltage clamp, an ion clamp, and events that record, set or (rarely) stop."""
    parameters, steps = dict(model.parameters), list(model.protocol)
    clamps, ion_clamps, events = (), (), ()
    if "clamp" in has:
        chosen = draw(st.sampled_from(sorted(model.membranes)))
        m = model.membranes[chosen]
        ion = draw(st.sampled_from([None, *(x for x in model.species if SPECIES[x][0])]))
        resistance = draw(st.sampled_from([None, 1e8]))
        command = draw(st.sampled_from([-0.06, 0.02, parse_formula("-0.05 + 0.01 * tanh(t / 300 - 1)")]))
        clamps = (Clamp("amplifier", m.name, (Hold(parse_formula("on"), command),), ion, resistance),)
        parameters["on"] = Parameter("on", 0.0)
        start = draw(st.sampled_from([0.0, 100.0]))
        steps.append(ParameterStep(start, draw(st.sampled_from([None, 700.0])), {"on": 1.0}))
    if "ion clamp" in has:
        c = draw(st.sampled_from([c for c in model.compartments.values() if c.is_finite]))
        x = draw(st.sampled_from(sorted(c.concentrations)))
        level = c.concentrations[x] * draw(rounded(0.7, 1.5, 2))
        ion_clamps = (IonClamp("keeper", c.name, x, (Hold(parse_formula("keep"), level),)),)
        parameters["keep"] = Parameter("keep", 0.0)
        start = draw(st.sampled_from([0.0, 50.0]))
        steps.append(ParameterStep(start, draw(st.sampled_from([None, 800.0])), {"keep": 1.0}))
    if "event" in has:
        m = draw(st.sampled_from(sorted(model.membranes)))
        action = draw(st.sampled_from(["record", "set", "set", "stop"]))
        direction = draw(st.sampled_from(["rises", "falls", "passes"]))
        setting = {"scale": draw(decades(0.5, 2.0))} if action == "set" else {}
        duration = draw(st.sampled_from([None, 50.0])) if action == "set" else None
        level = draw(rounded(-0.06, 0.06, 4))
        # An event that sets something may bring itself about again and again: once, so that runs are short.
        once = action == "set" or draw(st.booleans())
        events = (Event("watch", m, parse_formula("V"), level, direction, action, setting, duration, once),)
    changes = {"parameters": parameters, "protocol": tuple(steps)}
    return replace(model, **changes, clamps=clamps, ion_clamps=ion_clamps, events=events)


# -- the same model, written otherwise ------------------------------------------------------------------------------


def turned_formula(quantity):
    """A formula on a membrane as it reads when its sides have changed places; a number stays."""
    if not isinstance(quantity, Formula):
        return quantity
    text = re.sub(
        r"\.(inside|outside)\b", lambda found: ".outside" if found[1] == "inside" else ".inside", quantity.text
    )
    text = re.sub(r"\bE\.(\w+)", r"(0 - E.\1)", text)
    return parse_formula(re.sub(r"\bV\b", "(0 - V)", text))


def turned_gate(gate: Gate) -> Gate:
    keys = ("alpha", "beta", "steady", "time_constant", "speed", "initial")
    return replace(gate, **{key: turned_formula(getattr(gate, key)) for key in keys})


def turned(membrane: Membrane) -> Membrane | None:
    """A membrane with its sides swapped; None where something of it belongs to its inside."""
    if membrane.geometry != "given" or membrane.elastic_modulus is not None:
        return None
    ways = []
    for p in membrane.pathways:
        if p.law.startswith("na_k"):
            return None
        arguments = {key: turned_formula(q) for key, q in p.arguments.items()}
        stoichiometry = dict(p.stoichiometry)
        if p.law == "formula":
            arguments["rate"] = parse_formula(f"0 - ({arguments['rate'].text})")
        elif p.driven_by:
            stoichiometry = {x: -count for x, count in stoichiometry.items()}
        ways.append(
            replace(p, arguments=arguments, stoichiometry=stoichiometry, gates=tuple(map(turned_gate, p.gates)))
        )
    potential = None if membrane.potential is None else -membrane.potential
    return replace(
        membrane, inside=membrane.outside, outside=membrane.inside, potential=potential, pathways=tuple(ways)
    )
