"""What must hold in every run, over random models: conservation, detailed balance, free energy, the end
state found independently, tolerance, symmetry. All of it is computed here in plain NumPy, from states and inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

import iontide
from iontide.constants import FARADAY as F
from iontide.constants import GAS_CONSTANT as R
from iontide.model.model import Compartment, Impermeant, Membrane, Model, Recording, Simulation, Species
from tests.support.models import (
    by_name,
    closed_pair,
    ghk,
    na_k_pump,
    ohmic,
    p1,
    pump_leak,
    series,
    with_recording,
    with_simulation,
)

#: What the hypothesis profile asks for; each test takes its share, for a new structure costs a compilation.
EXAMPLES = settings().max_examples

SPECIES = {"K": 1, "Na": 1, "Cl": -1, "Ca": 2, "SO4": -2, "glycerol": 0}


# -- random models --------------------------------------------------------------------------------------------------


def decades(low, high):
    """A random number, evenly in its logarithm."""
    return st.floats(np.log10(low), np.log10(high)).map(lambda x: float(10.0**x))


@st.composite
def passive_models(draw, pathways=("ghk", "ohmic"), baths=(0, 1), most=4):
    """Up to `most` finite compartments, closed or with baths, joined anyhow by membranes that pass up to five ions."""
    count = draw(st.integers(1, most))
    bath_count = draw(st.sampled_from([b for b in baths if b or count > 1]))
    ions = draw(st.lists(st.sampled_from(sorted(SPECIES)), min_size=1, max_size=5, unique=True))
    names = [f"c{i}" for i in range(count)] + [f"bath{i}" for i in range(bath_count)]
    compartments = [draw(compartment(name, ions)) for name in names]
    membranes = []
    for i in range(1, len(names)):  # a tree, and perhaps a way round
        partner = i - 1 - draw(st.integers(0, min(i, count) - 1)) if i < count else draw(st.integers(0, count - 1))
        start = (
            draw(st.floats(-0.08, 0.08).map(lambda v: round(v, 9))) if i <= count or len(membranes) < count else None
        )
        membranes.append(draw(membrane(f"m{i}", names[i], names[partner], ions, start, pathways)))
    if count > 2 and draw(st.booleans()):
        membranes.append(draw(membrane("round", names[0], names[count - 1], ions, None, pathways)))
    return Model(
        species=by_name([Species(x, SPECIES[x]) for x in ions]),
        compartments=by_name(compartments),
        membranes=by_name(membranes),
        simulation=Simulation(duration=1e5),
        temperature=draw(st.floats(275.0, 315.0)),
        recording=Recording("log", points=120, first=1e-7),
    )


@st.composite
def compartment(draw, name, ions):
    """A solution that an impermeant makes neutral."""
    held = {x: draw(decades(0.05, 300.0)) for x in ions}
    if name.startswith("bath"):
        return Compartment(name, "bath", None, held)
    charge = sum(SPECIES[x] * c for x, c in held.items())
    fixed = (Impermeant("fixed", -1.0 if charge > 0 else 1.0, concentration=abs(charge)),)
    return Compartment(name, "finite", draw(decades(5e-16, 5e-15)), held, fixed)


@st.composite
def membrane(draw, name, one, other, ions, start, pathways):
    """A membrane of random direction that lets some of the ions through."""
    ways = []
    for x in ions:
        kind = draw(st.sampled_from([*pathways, "ghk", None]))
        if kind == "ohmic" and SPECIES[x]:
            ways.append(ohmic(x, draw(decades(0.01, 3.0))))
        elif kind is not None:
            ways.append(ghk(x, draw(decades(1e-9, 1e-7))))
    inside, outside = (one, other) if draw(st.booleans()) else (other, one)
    area, capacitance = draw(decades(3e-10, 3e-9)), draw(st.floats(0.005, 0.02))
    return Membrane(name, inside, outside, area, capacitance, start, tuple(ways))


# -- audits, in plain NumPy -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Audit:
    """A run taken apart: amounts (mol) and potentials (V) by compartment, everything else from the model."""

    trajectory: iontide.Trajectory

    @property
    def model(self):
        return self.trajectory.model

    @property
    def finite(self):
        return [c for c in self.model.compartments.values() if c.kind == "finite"]

    def amount(self, compartment, species):
        return self.trajectory.amount(compartment, species)

    def voltage(self, membrane):
        return self.trajectory.potential(membrane.inside) - self.trajectory.potential(membrane.outside)

    def fixed_charge(self, compartment):
        """Impermeant charge of a compartment, mol."""
        start = self.trajectory.run.initial
        return start.residual_charge[compartment.name] + sum(
            i.valence * start.impermeant_amounts[compartment.name, i.name] for i in compartment.impermeants
        )

    def charge_excess(self):
        """F Σ z n + F z_X X − Σ C A V of each finite compartment, over F Σ |z| n at the start."""
        for c in self.finite:
            charges = [self.model.species[x].valence * self.amount(c.name, x) for x in c.concentrations]
            held = sum(
                sign * number(m.specific_capacitance) * number(m.area) * self.voltage(m)
                for m in self.model.membranes.values()
                for end, sign in ((m.inside, 1.0), (m.outside, -1.0))
                if end == c.name
            )
            excess = F * (sum(charges) + self.fixed_charge(c)) - held
            scale = F * (sum(abs(q[0]) for q in charges) + abs(self.fixed_charge(c))) + np.max(np.abs(held))
            yield c.name, excess / scale if scale else excess

    def free_energy(self):
        """Σ n R T (ln c − 1) + ½ Σ C A V² − Σ n R T ln c_bath, J, and the sum of the sizes of its terms."""
        temperature = number(self.model.temperature)
        bath = next((c for c in self.model.compartments.values() if c.kind == "bath"), None)
        total, size = 0.0, 0.0
        for c in self.finite:
            for x in c.concentrations:
                n = self.amount(c.name, x)
                term = n * R * temperature * (np.log(n / number(c.volume)) - 1.0)
                if bath is not None:
                    term = term - n * R * temperature * np.log(number(bath.concentrations[x]))
                total, size = total + term, size + np.abs(term)
        for m in self.model.membranes.values():
            term = 0.5 * number(m.specific_capacitance) * number(m.area) * self.voltage(m) ** 2
            total, size = total + term, size + term
        return total, size


def number(quantity):
    """A quantity of these models, all of which are plain numbers."""
    assert isinstance(quantity, float)
    return quantity


def audited(model, **changes):
    """Run a model, and take it apart."""
    return Audit(iontide.run(with_simulation(model, **changes)))


def assert_charge_is_kept(audit):
    for name, excess in audit.charge_excess():
        assert np.max(np.abs(excess)) < 1e-10, name


# -- conservation ---------------------------------------------------------------------------------------------------


@given(passive_models(baths=(0, 1, 2)))
@settings(max_examples=24 * EXAMPLES // 100)
def test_charge_and_mass_are_kept_and_nothing_is_negative(model):
    audit = audited(model)
    trajectory = audit.trajectory
    assert np.all(np.isfinite(trajectory.states))
    assert np.all(trajectory.states[:, : len(trajectory.run.layout.amounts)] >= 0.0)
    assert_charge_is_kept(audit)
    if len(audit.finite) == len(model.compartments):
        for x in model.species:
            total = sum(audit.amount(c.name, x) for c in audit.finite)
            np.testing.assert_allclose(total, total[0], rtol=1e-10)


@pytest.mark.parametrize("build", [p1, pump_leak, series, closed_pair])
def test_the_reference_models_keep_charge_and_mass(build):
    trajectory = iontide.run(with_recording(build(), "steps"))
    assert_charge_is_kept(Audit(trajectory))
    if build is closed_pair:
        for x in ("K", "Na", "Cl"):
            total = trajectory.amount("a", x) + trajectory.amount("b", x)
            np.testing.assert_allclose(total, total[0], rtol=1e-12)


def test_what_flows_through_the_membrane_is_what_the_cell_gains():
    """Fluxes recomputed outside of the tape, integrated over the run, against the change of the amounts."""
    model = with_simulation(p1(), rtol=1e-9)
    trajectory = iontide.run(with_recording(model, "log", first=1e-7, points=20_000))
    t, area = trajectory.time, trajectory.area("plasma")
    for x in ("K", "Na", "Cl"):
        rate = -area * trajectory.flux("plasma", x)
        gained = np.sum(0.5 * (rate[1:] + rate[:-1]) * np.diff(t))
        n = trajectory.amount("cell", x)
        assert gained == pytest.approx(n[-1] - n[0], rel=1e-5)


# -- one-way fluxes -------------------------------------------------------------------------------------------------


@given(passive_models(pathways=("ghk",), baths=(0, 1, 2)))
@settings(max_examples=16 * EXAMPLES // 100)
def test_one_way_fluxes_obey_ussing_all_along(model):
    trajectory = iontide.run(model)
    temperature = number(model.temperature)
    for m in model.membranes.values():
        v = trajectory.potential(m.inside) - trajectory.potential(m.outside)
        for x in trajectory.ions(m.name):
            efflux, influx = trajectory.unidirectional_fluxes(m.name, x)
            assert np.all(efflux >= 0.0)
            assert np.all(influx >= 0.0)
            inside, outside = (trajectory.concentration(c, x) for c in (m.inside, m.outside))
            np.testing.assert_allclose(trajectory.flux(m.name, x), efflux - influx, rtol=1e-12)
            there = (inside > 0.0) & (outside > 0.0)
            driven = SPECIES[x] * F * v / (R * temperature) + np.log(inside[there] / outside[there])
            np.testing.assert_allclose(np.log(efflux[there] / influx[there]), driven, rtol=0.0, atol=1e-12)
            force = trajectory.driving_force(m.name, x)
            np.testing.assert_allclose(force, R * temperature * driven, rtol=0.0, atol=1e-8)


# -- free energy ----------------------------------------------------------------------------------------------------


@given(passive_models())
@settings(max_examples=20 * EXAMPLES // 100)
def test_free_energy_falls_monotonically_in_every_passive_system(model):
    energy, size = audited(with_recording(model, "steps")).free_energy()
    drop = energy[0] - energy[-1]
    assert np.all(np.diff(energy) <= 1e-6 * drop + 1e-14 * size[0])


# -- the end state, found independently -----------------------------------------------------------------------------


def equilibrium(audit):
    """Potentials and concentrations at equilibrium, from conservation and Δmu~ = 0 alone; nothing of the kinetics.

    A species has one electrochemical potential throughout every set of compartments that its pathways join, so the
    potentials fix all concentrations, and Σ F z n = Σ C A V in each compartment fixes the potentials.
    """
    model, start = audit.model, audit.trajectory
    thermal = R * number(model.temperature) / F
    free = [c for c in model.compartments if c in start.run.layout.potential_index]

    def concentrations(potential):
        found = {}
        for x, species in model.species.items():
            boltzmann = {c: np.exp(-species.valence * potential[c] / thermal) for c in model.compartments}
            for joined in parts_reached(model, x):
                bath = next((c for c in joined if model.compartments[c].kind == "bath"), None)
                if bath is not None:
                    level = number(model.compartments[bath].concentrations[x])
                else:
                    weights = [number(model.compartments[c].volume) * boltzmann[c] for c in joined]
                    level = sum(start.amount(c, x)[0] for c in joined) / sum(weights)
                found |= {(c, x): level * boltzmann[c] for c in joined}
        return found

    def excess(y):
        potential = dict.fromkeys(model.compartments, 0.0) | dict(zip(free, thermal * y, strict=True))
        c = concentrations(potential)
        left = []
        for name in free:
            own = model.compartments[name]
            charge = audit.fixed_charge(own) + sum(
                model.species[x].valence * c[name, x] * number(own.volume) for x in own.concentrations
            )
            for m in model.membranes.values():
                stored = number(m.specific_capacitance) * number(m.area) / F
                stored *= potential[m.inside] - potential[m.outside]
                charge -= stored * ((m.inside == name) - (m.outside == name))
            left.append(charge / number(own.volume))
        return left

    # The charge falls with the potential whatever the others do, so there is one root; it is sought from nearby
    # because scipy loses its way in exponentials.
    nearby = np.array([start.potential(c)[-1] for c in free]) / thermal + 0.3 * (-1.0) ** np.arange(len(free))
    solution = scipy.optimize.root(excess, nearby, tol=1e-13)
    potential = dict.fromkeys(model.compartments, 0.0) | dict(zip(free, thermal * solution.x, strict=True))
    assert np.max(np.abs(excess(solution.x))) < 1e-8
    return potential, concentrations(potential)


def parts_reached(model, species):
    """Sets of compartments between which a species can move."""
    part = {c: {c} for c in model.compartments}
    for m in model.membranes.values():
        if any(species in p.stoichiometry for p in m.pathways):
            joined = part[m.inside] | part[m.outside]
            part |= dict.fromkeys(joined, joined)
    return {id(p): sorted(p) for p in part.values()}.values()


@given(passive_models())
@settings(max_examples=24 * EXAMPLES // 100)
def test_a_passive_system_ends_where_thermodynamics_says_and_in_detailed_balance(model):
    audit = audited(model, duration=1e12, rtol=1e-9, stop_at_steady_state=True)
    assert audit.trajectory.status == "steady"
    potential, concentration = equilibrium(audit)
    for m in model.membranes.values():
        for x in {x for p in m.pathways if p.law == "ghk" for x in p.stoichiometry}:
            efflux, influx = audit.trajectory.unidirectional_fluxes(m.name, x)
            assert efflux[-1] > 0.0
            assert abs(efflux[-1] - influx[-1]) <= 1e-6 * efflux[-1]
    for c in audit.finite:
        assert audit.trajectory.potential(c.name)[-1] == pytest.approx(potential[c.name], abs=1e-7)
        for x in c.concentrations:
            found = audit.trajectory.concentration(c.name, x)[-1]
            assert found == pytest.approx(concentration[c.name, x], rel=1e-5, abs=1e-9)


def held_root(audit, start):
    """Steady state of the finite compartments of a model of GHK leaks and the Na/K pump, by scipy.optimize.root."""
    model = audit.model
    values, temperature = model.values(), number(model.temperature)
    moved = audit.trajectory.run.layout.amounts
    names = [c for c in model.compartments if c in audit.trajectory.run.layout.potential_index]

    def rates(y):
        c = dict(zip(moved, y, strict=False))
        psi = dict.fromkeys(model.compartments, 0.0) | dict(zip(names, y[len(moved) :], strict=True))

        def at(compartment, x):
            return c.get((compartment, x), model.compartments[compartment].concentrations[x])

        gain = dict.fromkeys(moved, 0.0)
        for m in model.membranes.values():
            v = psi[m.inside] - psi[m.outside]
            for p in m.pathways:
                if p.law == "ghk":
                    (x,) = p.stoichiometry
                    u = model.species[x].valence * F * v / (R * temperature)
                    gate = values[f"membranes.{m.name}.{p.name}"]
                    cycles = gate * u * (at(m.inside, x) - at(m.outside, x) * np.exp(-u)) / (1.0 - np.exp(-u))
                else:
                    sodium, potassium = at(m.inside, "Na"), at(m.outside, "K")
                    cycles = values[f"membranes.{m.name}.{p.name}.rate"]
                    cycles *= (sodium / (sodium + 10.0)) ** 3 * (potassium / (potassium + 1.5)) ** 2
                for x, count in p.stoichiometry.items():
                    for side, sign in ((m.inside, -1.0), (m.outside, 1.0)):
                        if (side, x) in gain:
                            gain[side, x] += sign * count * number(m.area) * cycles * 1e15
        neutral = []
        for name in names:
            own = model.compartments[name]
            charge = audit.fixed_charge(own) / number(own.volume)
            charge += sum(model.species[x].valence * at(name, x) for x in own.concentrations)
            for m in model.membranes.values():
                stored = number(m.specific_capacitance) * number(m.area) / (F * number(own.volume))
                stored *= psi[m.inside] - psi[m.outside]
                charge -= stored * ((m.inside == name) - (m.outside == name))
            neutral.append(charge)
        return np.array([*gain.values(), *neutral])

    solution = scipy.optimize.root(rates, start, tol=1e-14)
    assert np.max(np.abs(rates(solution.x))) < 1e-9
    return solution.x


def pump_running():
    """The pump-leak cell, never blocked."""
    model = pump_leak()
    plasma = model.membranes["plasma"]
    ways = (*plasma.pathways[:-1], na_k_pump(1.4e-6))
    return replace(model, membranes={"plasma": replace(plasma, pathways=ways)}, protocol=(), parameters={})


@pytest.mark.parametrize("build", [series, pump_running])
def test_a_steady_state_out_of_equilibrium_is_the_root_of_the_equations(build):
    audit = audited(build(), duration=1e9, rtol=1e-9, stop_at_steady_state=True)
    trajectory = audit.trajectory
    assert trajectory.status == "steady"
    end = [trajectory.concentration(*key)[-1] for key in trajectory.run.layout.amounts]
    end += [trajectory.potential(c)[-1] for c in trajectory.run.layout.potentials]
    found = held_root(audit, 1.1 * np.array(end))  # from somewhere else
    np.testing.assert_allclose(end, found, rtol=1e-7)
    # And it is no equilibrium: currents add up to 0, the ions flow.
    total, largest = 0.0, 0.0
    for m in audit.model.membranes.values():
        currents = [trajectory.pathway_current_density(m.name, p.name)[-1] for p in m.pathways]
        total += number(m.area) * sum(currents)
        largest = max(largest, *(number(m.area) * abs(i) for i in currents))
    assert largest > 1e-12  # A
    assert abs(total) < 1e-7 * largest


# -- tolerance ------------------------------------------------------------------------------------------------------


def in_tolerances(first, second, tolerance):
    """Difference of two runs where it is largest, in the norm and the unit of the solver's tolerance."""
    scales = np.array(first.run.layout.scales(first.run.values[0]))
    apart = (first.states - second.states) / (tolerance * (np.abs(second.states) + 0.01 * scales))
    return np.max(np.sqrt(np.mean(apart**2, axis=1)))


@pytest.mark.parametrize("tolerance", [1e-4, 1e-5, 1e-6, 1e-7, 1e-8])
@pytest.mark.parametrize("build", [p1, pump_leak, series, closed_pair])
def test_halving_the_tolerance_moves_no_answer_by_more_than_the_tolerance(build, tolerance):
    model = with_recording(build(), "log", first=1e-6, points=300)
    given, half = (iontide.run(with_simulation(model, rtol=t)) for t in (tolerance, tolerance / 2))
    assert 0.0 < in_tolerances(given, half, tolerance) < 1.0


# -- symmetry -------------------------------------------------------------------------------------------------------

TOLERANCE = 1e-9


def tight(model):
    """The model, run so exactly that what rounding does to the steps does not show."""
    return iontide.run(with_simulation(model, duration=1e4, rtol=TOLERANCE))


def assert_same(first, second):
    """The same concentrations and membrane potentials along the way."""
    for name, c in first.model.compartments.items():
        for x in c.concentrations:
            np.testing.assert_allclose(
                first.concentration(name, x),
                second.concentration(name, x),
                rtol=20 * TOLERANCE,
                atol=20 * TOLERANCE,
            )
    for m in first.model.membranes:
        np.testing.assert_allclose(first.membrane_potential(m), second.membrane_potential(m), atol=20 * TOLERANCE)


def turned(m):
    """A membrane with its sides swapped."""
    potential = None if m.potential is None else -m.potential
    return replace(m, inside=m.outside, outside=m.inside, potential=potential)


@given(passive_models(baths=(0, 1, 2), most=3))
@settings(max_examples=8 * EXAMPLES // 100)
def test_inside_and_outside_are_only_names(model):
    """Swapped, each membrane shows −V and the fluxes the other way; nothing else changes."""
    other = replace(model, membranes={name: turned(m) for name, m in model.membranes.items()})
    first, second = tight(model), tight(other)
    scale = 1e-7 * 300.0
    for name in model.membranes:
        np.testing.assert_allclose(
            first.membrane_potential(name), -second.membrane_potential(name), atol=20 * TOLERANCE
        )
        for x in first.ions(name):
            np.testing.assert_allclose(first.flux(name, x), -second.flux(name, x), atol=1e-6 * scale)
            np.testing.assert_allclose(first.driving_force(name, x), -second.driving_force(name, x), atol=0.1)
    for c, x in first.run.layout.amounts:
        np.testing.assert_allclose(
            first.concentration(c, x), second.concentration(c, x), rtol=20 * TOLERANCE, atol=20 * TOLERANCE
        )


@given(passive_models(baths=(0, 1, 2), most=3))
@settings(max_examples=8 * EXAMPLES // 100)
def test_the_order_in_which_things_are_named_does_not_matter(model):
    """Not even where it chooses another compartment for the ground."""

    def backwards(mapping):
        return dict(reversed(mapping.items()))

    other = replace(
        model,
        species=backwards(model.species),
        compartments={
            name: replace(c, concentrations=backwards(c.concentrations))
            for name, c in backwards(model.compartments).items()
        },
        membranes={name: replace(m, pathways=m.pathways[::-1]) for name, m in backwards(model.membranes).items()},
    )
    assert_same(tight(model), tight(other))


@given(passive_models(baths=(0, 1, 2), most=3), st.floats(0.05, 0.95))
@settings(max_examples=8 * EXAMPLES // 100)
def test_a_membrane_may_be_split_in_two(model, share):
    membranes = dict(model.membranes)
    whole = next(iter(membranes.values()))
    membranes[whole.name] = replace(whole, area=share * whole.area)
    membranes["rest"] = replace(whole, name="rest", area=(1.0 - share) * whole.area, potential=None)
    first, second = tight(model), tight(replace(model, membranes=membranes))
    assert_same(first, second)
    np.testing.assert_array_equal(second.membrane_potential("rest"), second.membrane_potential(whole.name))


@given(passive_models(pathways=("ghk",), baths=(0, 1, 2), most=3))
@settings(max_examples=8 * EXAMPLES // 100)
def test_the_sign_of_every_charge_may_be_turned(model):
    """Every z and every start of V with the other sign: all potentials change sign, no concentration does."""
    other = replace(
        model,
        species={name: replace(s, valence=-s.valence) for name, s in model.species.items()},
        compartments={
            name: replace(c, impermeants=tuple(replace(i, valence=-i.valence) for i in c.impermeants))
            for name, c in model.compartments.items()
        },
        membranes={
            name: replace(m, potential=None if m.potential is None else -m.potential)
            for name, m in model.membranes.items()
        },
    )
    first, second = tight(model), tight(other)
    for m in model.membranes:
        np.testing.assert_allclose(first.membrane_potential(m), -second.membrane_potential(m), atol=20 * TOLERANCE)
    for c, x in first.run.layout.amounts:
        np.testing.assert_allclose(
            first.concentration(c, x), second.concentration(c, x), rtol=20 * TOLERANCE, atol=20 * TOLERANCE
        )


@given(passive_models(pathways=("ghk",), baths=(0, 1, 2), most=3), st.sampled_from([2.0**-20, 0.5, 2.0**10]))
@settings(max_examples=8 * EXAMPLES // 100)
def test_size_and_speed_and_strength_have_no_scale_of_their_own(model, factor):
    """Powers of two cost no rounding, so the answers are the same to the last bit.

    Volumes and areas alike: the same concentrations and potentials. Permeabilities: the same, so much sooner.
    Concentrations and capacitances alike: the same potentials.
    """
    model = replace(model, recording=Recording("linear", points=50))
    plain = iontide.run(model)
    larger = iontide.run(scaled(model, volume=factor, area=factor))
    amounts = len(plain.run.layout.amounts)
    np.testing.assert_array_equal(larger.states[:, amounts:], plain.states[:, amounts:])
    np.testing.assert_array_equal(larger.states[:, :amounts], factor * plain.states[:, :amounts])
    sooner = iontide.run(with_simulation(scaled(model, permeability=factor), duration=1e5 / factor))
    np.testing.assert_array_equal(sooner.states, plain.states)
    stronger = iontide.run(scaled(model, concentration=factor, capacitance=factor))
    np.testing.assert_array_equal(stronger.states[:, amounts:], plain.states[:, amounts:])
    np.testing.assert_array_equal(stronger.states[:, :amounts], factor * plain.states[:, :amounts])


def scaled(model, volume=1.0, area=1.0, permeability=1.0, concentration=1.0, capacitance=1.0):
    """A model of GHK membranes with its numbers multiplied."""
    return replace(
        model,
        compartments={
            name: replace(
                c,
                volume=None if c.volume is None else volume * c.volume,
                concentrations={x: concentration * q for x, q in c.concentrations.items()},
                impermeants=tuple(replace(i, concentration=concentration * i.concentration) for i in c.impermeants),
            )
            for name, c in model.compartments.items()
        },
        membranes={
            name: replace(
                m,
                area=area * m.area,
                specific_capacitance=capacitance * m.specific_capacitance,
                pathways=tuple(ghk(*p.stoichiometry, permeability * p.arguments[""]) for p in m.pathways),
            )
            for name, m in model.membranes.items()
        },
    )
