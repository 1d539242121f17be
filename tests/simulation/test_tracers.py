"""Tracers: exchange at rest, washout, what is conserved, every law's rule, and that nothing else is changed."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest

import iontide
from iontide import storage
from iontide.errors import ScenarioError, UnknownNameError, UsageError
from iontide.formulas.formula import parse_formula
from iontide.model.model import Exchange, Injection, Parameter, ParameterStep, Reaction, Source, Species, Tracer
from iontide.model.serialization import model_from_json, model_to_json
from iontide.physics.mechanisms import UNIDIRECTIONAL
from iontide.reports.info import info
from iontide.reports.info_text import info_text
from iontide.simulation.simulate import simulate
from iontide.simulation.state_rates import state_rates
from tests.support.models import (
    AREA,
    closed_pair,
    ohmic,
    p1,
    pump_leak,
    series,
    single_ion,
    two_cells,
    with_recording,
    with_simulation,
)
from tests.support.paths import SCENARIO_FILES, SCENARIOS


def labelled(model, *tracers):
    return replace(model, tracers=tracers)


def at_rest(duration=3600.0):
    """The pump-leak cell from its steady state on, to the tolerance at which that was found."""
    model = replace(pump_leak(), protocol=())
    model = replace(model, simulation=replace(model.simulation, duration=1e6, rtol=1e-10))
    end = simulate(model)
    contents = {x: float(end.concentration("cell", x)[-1]) for x in ("K", "Na", "Cl")}
    cell = replace(model.compartments["cell"], concentrations=contents)
    plasma = replace(model.membranes["plasma"], potential=float(end.membrane_potential("plasma")[-1]))
    model = replace(model, compartments=model.compartments | {"cell": cell}, membranes={"plasma": plasma})
    return with_recording(with_simulation(model, duration=duration), points=201)


@pytest.fixture(scope="module")
def resting():
    return at_rest()


# -- closed forms -----------------------------------------------------------------------------------------------------


def test_uptake_at_a_steady_state_is_an_exponential(resting):
    """The share obeys ds/dt = k (s_bath − s), k = A influx / amount, where the net flux, pump and all, is 0."""
    tracers = (Tracer("Na24", ("Na",), {"bath": 1.0}), Tracer("K42", ("K",), {"bath": 0.25}))
    trajectory = simulate(labelled(resting, *tracers))
    pump = trajectory.pathway_cycles("plasma", "pump")[0]
    for name, ion, share, pumped_in in (("Na24", "Na", 1.0, 0.0), ("K42", "K", 0.25, 2.0)):
        efflux, influx = (x[0] for x in trajectory.unidirectional_fluxes("plasma", ion))
        entering = influx + pumped_in * pump
        assert entering == pytest.approx(efflux + (3.0 * pump if ion == "Na" else 0.0), rel=1e-9)
        k = AREA * entering / trajectory.amount("cell", ion)[0]
        exact = share * -np.expm1(-k * trajectory.time)
        np.testing.assert_allclose(trajectory.tracer_share("cell", name), exact, rtol=1e-6, atol=1e-9)
        np.testing.assert_array_equal(trajectory.tracer_share("bath", name), share)
    assert trajectory.tracer_share("cell", "Na24")[-1] > 0.99


def test_loading_and_washout(resting):
    """As a label is loaded and then washed out: the efflux of the label falls with the rate constant k."""
    model = replace(
        labelled(resting, Tracer("Na24", ("Na",), {"bath": parse_formula("label")})),
        parameters=resting.parameters | {"label": Parameter("label", 1.0)},
        protocol=(ParameterStep(1200.0, 1e9, {"label": 0.0}),),
    )
    trajectory = simulate(model)
    _, influx = trajectory.unidirectional_fluxes("plasma", "Na")
    k = AREA * influx[0] / trajectory.amount("cell", "Na")[0]
    t = trajectory.time
    loaded = -np.expm1(-k * 1200.0)
    washing = trajectory.segment == 1
    exact = np.where(washing, loaded * np.exp(-k * (t - 1200.0)), -np.expm1(-k * t))
    np.testing.assert_allclose(trajectory.tracer_share("cell", "Na24"), exact, rtol=1e-6, atol=1e-9)
    leaving = trajectory.tracer_flux("plasma", "Na24")[washing]
    np.testing.assert_allclose(np.diff(np.log(leaving[leaving > 1e-6 * leaving[0]]))[1:], -k * 18.0, rtol=1e-4)


def test_washed_out_for_ever_so_long(resting):
    trajectory = simulate(with_simulation(labelled(resting, Tracer("Na24", ("Na",), {"cell": 1.0})), duration=1e7))
    share = trajectory.tracer_share("cell", "Na24")
    assert trajectory.status == "done"
    assert trajectory.statistics.steps < 2000
    assert np.all(share >= 0.0)
    assert share[-1] < 1e-100


def test_exchange_goes_on_at_equilibrium_through_ghk_and_not_through_ohm():
    """A law that gives the net flux alone tells nothing of what it exchanges, and a tracer's docstring says so."""
    through = {}
    for law in ("ghk", "ohmic"):
        model = single_ion(1)
        if law == "ohmic":
            plasma = replace(model.membranes["plasma"], pathways=(ohmic("X", 1.0),))
            model = replace(model, membranes={"plasma": plasma})
        model = with_simulation(labelled(model, Tracer("L", ("X",), {"bath": 1.0})), duration=1e6)
        trajectory = simulate(model)
        v, e = trajectory.membrane_potential("plasma")[-1], trajectory.reversal_potential("plasma", "X")[-1]
        assert v == pytest.approx(e, abs=1e-9)
        through[law] = trajectory.tracer_share("cell", "L")[-1]
    assert through["ghk"] > 0.99
    assert through["ohmic"] < 1e-3


def test_reactions_one_after_another_hand_the_label_on():
    """X → A ⇌ B: what is labelled throughout stays so, and no label comes from nowhere."""
    model = single_ion(0)
    cell = replace(model.compartments["cell"], concentrations={"X": 1.0, "A": 20.0, "B": 5.0})
    model = replace(
        model,
        species=model.species | {"A": Species("A", 0), "B": Species("B", 0)},
        compartments=model.compartments | {"cell": cell},
        membranes={"plasma": replace(model.membranes["plasma"], pathways=())},
        reactions=(
            Reaction("enter", "cell", {"X": 1}, {"A": 1}, 10.0, 0.0),
            Reaction("turn", "cell", {"A": 1}, {"B": 1}, 1.0, 4.0),
        ),
        tracers=(Tracer("L", ("X", "A", "B"), {"cell": 0.0}), Tracer("M", ("X", "A", "B"), {"cell": 1.0})),
    )
    trajectory = simulate(with_simulation(model, duration=3.0))
    assert np.all(trajectory.tracer_share("cell", "L") == 0.0)
    np.testing.assert_allclose(trajectory.tracer_share("cell", "M"), 1.0, rtol=1e-13)


def test_a_reaction_mixes_with_the_rate_of_both_ways():
    """Label that enters as A into a pool A ⇌ B at equilibrium: closed form of the two-pool exchange."""
    model = single_ion(0, inside=20.0, outside=20.0)
    cell = replace(model.compartments["cell"], concentrations={"X": 20.0, "B": 5.0})
    model = replace(
        model,
        species=model.species | {"B": Species("B", 0)},
        compartments=model.compartments | {"cell": cell},
        reactions=(Reaction("turn", "cell", {"X": 1}, {"B": 1}, 0.01, 0.04),),
        tracers=(Tracer("L", ("X", "B"), {"bath": 1.0}),),
    )
    trajectory = simulate(with_recording(with_simulation(model, duration=2000.0), points=101))
    p = 4e-8 * AREA / trajectory.volume("cell")[0]
    matrix = np.array([[-(p + 0.01), 0.04], [0.01, -0.04]])
    from scipy.linalg import expm

    final = -np.linalg.solve(matrix, np.array([p * 20.0, 0.0]))
    np.testing.assert_allclose(final, [20.0, 5.0])
    for i, t in enumerate(trajectory.time):
        exact = final - expm(matrix * t) @ final
        found = [trajectory.tracer_amount("cell", "L", x)[i] / trajectory.volume("cell")[i] for x in ("X", "B")]
        np.testing.assert_allclose(found, exact, rtol=1e-6, atol=1e-6)


# -- what holds in every model ----------------------------------------------------------------------------------------


def test_the_total_of_a_closed_system_is_kept():
    tracers = (Tracer("L", ("K",), {"a": 0.5}), Tracer("M", ("Cl",), {"b": 1e-6}), Tracer("N", ("Na",), {"a": 1.0}))
    trajectory = simulate(labelled(closed_pair(), *tracers))
    for t in tracers:
        total = trajectory.tracer_amount("a", t.name) + trajectory.tracer_amount("b", t.name)
        assert np.abs(total / total[0] - 1.0).max() < 1e-13
        (ion,) = t.of
        mean = total[0] / (trajectory.amount("a", ion)[0] + trajectory.amount("b", ion)[0])
        for c in ("a", "b"):
            assert trajectory.tracer_share(c, t.name)[-1] == pytest.approx(mean, rel=1e-5)


def test_small_shares_are_as_exact_as_large_ones():
    """Everything is linear in the label: a part in a billion behaves as the whole, digit for digit."""
    big, small = (simulate(labelled(closed_pair(), Tracer("L", ("K",), {"a": s}))) for s in (1.0, 1e-9))
    for c in ("a", "b"):
        np.testing.assert_allclose(small.tracer_share(c, "L"), 1e-9 * big.tracer_share(c, "L"), rtol=1e-12, atol=1e-24)


def everywhere(model):
    """The model with all of every species that can be followed labelled in every compartment."""
    clamped = {c.carried_by for c in model.clamps} | {c.species for c in model.ion_clamps}
    supplied = {i.carried_by for i in model.injections} | {x for f in model.sources for x in f.stoichiometry}
    reacting = {x for r in model.reactions for x in (*r.reactants, *r.products)}
    share = dict.fromkeys(model.compartments, 1.0)
    names = [x for x in model.species if x not in clamped | supplied | reacting]
    return labelled(model, *(Tracer(f"all_{x}", (x,), share) for x in names))


SHIPPED = sorted(p for p in SCENARIOS.glob("**/*.toml") if p.stem != "hodgkin_huxley_ion_dynamics")


@pytest.mark.parametrize("path", SHIPPED, ids=[p.stem for p in SHIPPED])
def test_in_shipped_scenarios_all_stays_all_and_nothing_else_changes(path):
    """Every law, moving volumes, steps and ramps: a share of 1 everywhere stays 1; the rest to the tolerance."""
    model = iontide.load(path).model
    model = replace(model, tracers=(), recording=replace(model.recording, quantities=None))
    without, found = simulate(model), simulate(everywhere(model))
    for t in found.model.tracers:
        for c in found.model.compartments.values():
            if t.of[0] in c.concentrations:
                share = found.tracer_share(c.name, t.name)
                np.testing.assert_allclose(share[~np.isnan(share)], 1.0, rtol=1e-9)
    # The steps are others, so the rest is the same to the tolerance: as it is to itself at half the tolerance.
    rtol = model.simulation.rtol
    finer = simulate(replace(model, simulation=replace(model.simulation, rtol=0.5 * rtol)))
    if not len(without) == len(found) == len(finer):  # a recording of the solver's own steps
        return
    if not without.run.layout.size:  # solutions that only electrodes look at
        return
    places = [found.run.layout.names.index(name) for name in without.run.layout.names]
    scale = np.abs(without.states).max(axis=0) + 1e-300
    usual = np.abs((finer.states - without.states) / scale).max()
    assert np.abs((found.states[:, places] - without.states) / scale).max() < 10.0 * usual + 10.0 * rtol


def by_the_rules(trajectory, membrane, tracer):
    """The flux of a tracer from the fluxes of its species and the shares on either side."""
    m = trajectory.model.membranes[membrane]
    (ion,) = next(t.of for t in trajectory.model.tracers if t.name == tracer)
    inside, outside = (trajectory.tracer_share(c, tracer) for c in (m.inside, m.outside))
    total = np.zeros(len(trajectory))
    if any(p.law in UNIDIRECTIONAL and ion in p.stoichiometry for p in m.pathways):
        efflux, influx = trajectory.unidirectional_fluxes(membrane, ion)
        total = total + efflux * inside - influx * outside
    for p in m.pathways:
        if p.law not in UNIDIRECTIONAL and ion in p.stoichiometry:
            net = p.stoichiometry[ion] * trajectory.pathway_cycles(membrane, p.name)
            total = total + np.where(net > 0.0, net * inside, net * outside)
    return total


@pytest.mark.parametrize("name", ["pump_leak_swelling", "two_membranes_in_series", "activities"])
def test_each_law_by_its_rule(name):
    """The compiled equations against the rules, recomputed from fluxes and shares in NumPy."""
    model = iontide.load(SCENARIO_FILES[name]).model
    first, *_ = model.compartments
    tracers = [Tracer(f"L_{x}", (x,), {first: 0.3, "bath": 0.9} if "bath" in model.compartments else {first: 0.3})
               for x in model.species]  # fmt: skip
    trajectory = simulate(labelled(model, *tracers))
    expected = {}
    for m in model.membranes.values():
        for t in tracers:
            if t.of[0] in trajectory.ions(m.name):
                flux = trajectory.tracer_flux(m.name, t.name)
                rule = by_the_rules(trajectory, m.name, t.name)
                np.testing.assert_allclose(flux, rule, rtol=1e-10, atol=1e-13 * np.abs(flux).max())
                for c, sign in ((m.inside, -1.0), (m.outside, 1.0)):
                    key = (c, t.name, t.of[0])
                    expected[key] = expected.get(key, 0.0) + sign * trajectory.area(m.name) * flux
    for key, place in trajectory.run.layout.tracer_index.items():
        rate = state_rates(trajectory, place)
        np.testing.assert_allclose(rate, expected[key], rtol=1e-9, atol=1e-12 * np.abs(rate).max())


def test_between_cells_with_junctions_and_series():
    for model in (two_cells(), series()):
        first, *_ = (c for c in model.compartments.values() if c.is_finite)
        trajectory = simulate(labelled(model, Tracer("L", ("K",), {first.name: 1.0})))
        for c in model.compartments.values():
            share = trajectory.tracer_share(c.name, "L")
            assert np.all((share >= 0.0) & (share <= 1.0 + 1e-12))


def test_exchange_and_sources_and_injections():
    """Rinsing carries the label as it carries the species; what comes from outside of the model bears none."""
    model = with_simulation(closed_pair(), duration=500.0)
    rinsed = replace(model, exchanges=(Exchange("rinse", "a", "b", 0.01),))
    trajectory = simulate(
        labelled(rinsed, Tracer("L", ("K",), {"a": 1.0}), Tracer("all", ("K",), {"a": 1.0, "b": 1.0}))
    )
    np.testing.assert_allclose(trajectory.tracer_share("b", "all"), 1.0, rtol=1e-12)
    assert trajectory.tracer_share("a", "L")[-1] == pytest.approx(trajectory.tracer_share("b", "L")[-1], rel=2e-2)
    salt = replace(model, sources=(Source("salt", "a", {"K": 1, "Cl": 1}, 1e-15),))
    trajectory = simulate(labelled(salt, Tracer("L", ("K",), {"a": 1.0, "b": 1.0})))
    total = sum(trajectory.tracer_amount(c, "L") for c in ("a", "b"))
    np.testing.assert_allclose(total, total[0], rtol=1e-12)
    assert trajectory.tracer_share("a", "L")[-1] < 0.9
    taken = replace(model, sources=(Source("salt", "a", {"K": -1, "Cl": -1}, 1e-17),))
    trajectory = simulate(labelled(taken, Tracer("L", ("K",), {"a": 1.0, "b": 1.0})))
    np.testing.assert_allclose(trajectory.tracer_share("a", "L"), 1.0, rtol=1e-12)
    moved = replace(model, injections=(Injection("i", "b", "K", 1e-12, "a"),))
    trajectory = simulate(
        labelled(moved, Tracer("L", ("K",), {"a": 1.0, "b": 1.0}), Tracer("half", ("K",), {"a": 0.5}))
    )
    np.testing.assert_allclose(trajectory.tracer_share("b", "L"), 1.0, rtol=1e-12)
    total = sum(trajectory.tracer_amount(c, "half") for c in ("a", "b"))
    np.testing.assert_allclose(total, total[0], rtol=1e-12)


def test_nothing_to_label_at_the_start():
    """A compartment without the species: its share is undefined at first, then that of what comes in."""
    trajectory = simulate(labelled(single_ion(0, inside=0.0), Tracer("L", ("X",), {"bath": 0.7})))
    share = trajectory.tracer_share("cell", "L")
    assert np.isnan(share[0])
    np.testing.assert_allclose(share[1:], 0.7, rtol=1e-9)


def test_what_no_pathway_moves_keeps_its_share():
    model = p1()
    plasma = replace(model.membranes["plasma"], pathways=model.membranes["plasma"].pathways[:1])
    trajectory = simulate(labelled(replace(model, membranes={"plasma": plasma}), Tracer("L", ("Na",), {"cell": 0.2})))
    assert ("cell", "L", "Na") not in trajectory.run.layout.tracer_index
    np.testing.assert_array_equal(trajectory.tracer_share("cell", "L"), 0.2)
    np.testing.assert_allclose(trajectory.tracer_amount("cell", "L"), 0.2 * trajectory.amount("cell", "Na"))


# -- files ------------------------------------------------------------------------------------------------------------

TEXT = """
title = "a tracer"
[parameters]
label = 1.0
[simulation]
duration = "100 s"
temperature = "37 degC"
[compartments.cell]
volume = "4 pL"
concentrations = { K = "140 mM", Na = "10 mM", Ca = "1 uM", CaB = "0 mM", B = "1 mM" }
impermeants = { A = { concentration = "balance", valence = -1 } }
[compartments.bath]
bath = true
concentrations = { K = "4 mM", Na = "146 mM", Ca = "1 mM", Cl = "152 mM" }
[species.B]
valence = -2
[species.CaB]
valence = 0
[membranes.plasma]
inside = "cell"
outside = "bath"
area = "1256 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "-70 mV"
permeability = { K = "4e-8 m/s", Na = "2e-9 m/s", Ca = "1e-12 m/s" }
[reactions.bind]
in = "cell"
equation = "Ca + B <=> CaB"
forward = "1 /mM/s"
backward = "0.1 /s"
[tracers.Na24]
of = "Na"
share = { bath = "label" }
[tracers.Ca45]
of = ["Ca", "CaB"]
share = { bath = 1.0, cell = 0.5 }
[[protocol]]
at = "50 s"
set = { "parameters.label" = 0.0 }
"""


def test_from_a_file_to_a_file(tmp_path):
    trajectory = iontide.run(iontide.loads(TEXT))
    assert trajectory.model.tracers[1] == Tracer("Ca45", ("Ca", "CaB"), {"bath": 1.0, "cell": 0.5})
    path = storage.save(trajectory, tmp_path / "x.h5")
    again = iontide.open(path)
    np.testing.assert_array_equal(again.states, trajectory.states)
    with h5py.File(path) as file:
        series = file["timeseries"]
        np.testing.assert_array_equal(series["cell.Na24.share"][:], trajectory.tracer_share("cell", "Na24"))
        amount = 1e15 * trajectory.tracer_amount("cell", "Ca45")
        np.testing.assert_array_equal(series["cell.Ca45.amount"][:], amount)
        assert series["plasma.flux.Na24"].attrs["units"] == "umol/m^2/s"
    found = info(path)["quantities"]
    assert found["cell.Na24.share"] == trajectory.tracer_share("cell", "Na24")[-1]
    assert (found["bath.Na24.share"], found["bath.Ca45.share"]) == (0.0, 1.0)
    assert "labelled with Na24, as a share:" in info_text(info(path))
    assert model_from_json(model_to_json(trajectory.model)) == trajectory.model
    assert iontide.loads(TEXT, set={"tracers.Na24.share.bath": 0.5}).model.tracers[0].shares == {"bath": 0.5}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('of = "Na"', 'of = "Nb"', "tracers.Na24.of: no compartment holds Nb; did you mean"),
        ('of = "Na"', "of = []", "tracers.Na24.of: must name the labelled species"),
        ('of = "Na"', "", "tracers.Na24"),
        (
            'of = ["Ca", "CaB"]',
            'of = "Ca"',
            'so the label is not conserved; name all species that carry it, as of = ["Ca", "CaB"]',
        ),
        ("[tracers.Na24]", "[tracers.K]", "K is a species already"),
        ('bath = "label"', 'beth = "label"', "no such compartment as beth; did you mean bath?"),
        ('of = "Na"', 'of = "B"', "tracers.Na24.share.bath: bath gives no concentration of B"),
        ('bath = "label"', "bath = 1.5", "tracers.Na24.share.bath: must be ≤ 1, got 1.5"),
        ('bath = "label"', 'bath = "1 mM"', "tracers.Na24.share.bath"),
        ('bath = "label"', 'bath = "labl"', "no such parameter as labl; did you mean label?"),
        ("cell = 0.5", 'cell = "t / 1 s"', "tracers.Ca45.share.cell"),
        (
            'at = "50 s"\nset = { "parameters.label" = 0.0 }',
            'from = "1 s"\nto = "2 s"\nclamp = { compartment = "cell", ion = "Na", concentration = "10 mM" }',
            "a clamp of the protocol injects Na, which tracers do not support yet",
        ),
    ],
)
def test_faults_of_files(old, new, message):
    assert old in TEXT
    with pytest.raises(ScenarioError) as caught:
        iontide.loads(TEXT.replace(old, new))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("tracers", "message"),
    [
        ((Tracer("L", ("X",)),), "tracer L: there is no species X"),
        ((Tracer("L", ()),), "tracer L: there is no species to be labelled"),
        ((Tracer("K", ("Na",)),), "tracer K: there is a species of that name"),
        ((Tracer("L", ("K",), {"cel": 1.0}),), "tracer L: there is no compartment cel"),
        ((Tracer("L", ("K",)), Tracer("L", ("Na",))), "two tracers have the same name"),
    ],
)
def test_faults_of_models(tracers, message):
    with pytest.raises(ValueError, match=message):
        labelled(p1(), *tracers)


def test_readings_that_there_are_not():
    trajectory = simulate(with_simulation(labelled(p1(), Tracer("L", ("K",), {"bath": 1.0})), duration=1.0))
    with pytest.raises(UsageError, match="bath is a bath"):
        trajectory.tracer_amount("bath", "L")
    with pytest.raises(UnknownNameError, match="there is no tracer M"):
        trajectory.tracer_share("cell", "M")
    with pytest.raises(UnknownNameError, match=r"no species in .* that L labels Na"):
        trajectory.tracer_share("cell", "L", "Na")
