"""Result files: what was saved comes back bit for bit, and other programs can read it."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import iontide
from iontide import storage
from iontide.equations.initial_state import InitialState, complete_values
from iontide.equations.states import lay_out
from iontide.errors import SolverError
from iontide.formulas.formula import parse_formula
from iontide.formulas.units import parse_quantity, parse_unit
from iontide.model.model import (
    Compartment,
    Gate,
    Impermeant,
    Injection,
    Model,
    Parameter,
    ParameterStep,
    Pathway,
    Reaction,
    Simulation,
    Species,
)
from iontide.model.schedule import segments_of, values_of
from iontide.model.serialization import run_id
from iontide.simulation.run import Origin, Run, Statistics
from iontide.simulation.simulate import Integration, simulate
from iontide.simulation.trajectory import Trajectory
from iontide.storage.recorded import recorded_quantities
from tests.support.models import closed_pair, p1, pump_leak, series, single_ion, with_recording, with_simulation
from tests.support.storage_checks import differences, small_trajectory

EVERY_GROUP = (
    "potentials",
    "concentrations",
    "amounts",
    "activities",
    "reversal_potentials",
    "driving_forces",
    "fluxes",
    "unidirectional_fluxes",
    "currents",
)


@pytest.fixture(scope="module")
def trajectory():
    return small_trajectory()


@pytest.fixture(scope="module")
def saved(trajectory, tmp_path_factory):
    return storage.save(trajectory, tmp_path_factory.mktemp("saved") / "run.h5")


def with_groups(model, *groups):
    return replace(model, recording=replace(model.recording, quantities=groups))


def everything():
    """A swelling cell with a gated channel, a reaction, an injected current, and a ramp in its protocol."""
    model = p1()
    cell, plasma = model.compartments["cell"], model.membranes["plasma"]
    gate = Gate("m", alpha=parse_formula("1 /s"), beta=parse_formula("2 /s * exp(V / 25 mV)"), initial=0.5)
    channel = Pathway("pathways.leak", "ghk", {"K": 1}, {"": parse_formula("1e-8 m/s * m")}, gates=(gate,))
    return replace(
        model,
        species=model.species | {"X": Species("X", 0), "Y": Species("Y", 0)},
        compartments=model.compartments
        | {"cell": replace(cell, water="osmotic", concentrations=cell.concentrations | {"X": 1.0, "Y": 0.0})},
        membranes={
            "plasma": replace(plasma, geometry="sphere", water_permeability=1e-5, pathways=(*plasma.pathways, channel))
        },
        parameters={"i": Parameter("i", 0.0, parse_quantity("1 A")[1])},
        protocol=(ParameterStep(10.0, None, {"i": 1e-12}, over=20.0),),
        injections=(Injection("stimulus", "cell", "K", parse_formula("i")),),
        reactions=(Reaction("turn", "cell", {"X": 1}, {"Y": 1}, 1e-2, 1e-3),),
        simulation=Simulation(100.0),
    )


# -- round trip ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [p1, pump_leak, series, closed_pair, everything, lambda: single_ion(0)])
def test_a_run_comes_back_bit_for_bit(make, tmp_path):
    trajectory = simulate(with_recording(make(), points=30))
    path = storage.save(trajectory, tmp_path / "x.h5")
    assert path == tmp_path / "x.h5"
    assert differences(trajectory, storage.open_trajectory(path)) == []


def test_the_origin_comes_back(trajectory, saved):
    assert storage.open_trajectory(saved).run.origin == trajectory.run.origin


@given(
    hnp.arrays(np.float64, (5, 4), elements=st.floats(width=64)),
    hnp.arrays(np.float64, 5, elements=st.floats(0, 1e300)),
    st.text(),
)
@settings(max_examples=25)
def test_any_numbers_and_texts_come_back(trajectory, tmp_path_factory, states, time, message):
    # A text in HDF5 ends before its last NUL.
    run = replace(trajectory.run, message=message.rstrip("\0"), end_state=states[0], status="failed")
    odd = Trajectory(run, np.sort(time), np.array([0, 0, 1, 2, 2], dtype=np.int32), states)
    path = storage.save(odd, tmp_path_factory.mktemp("odd") / "x.h5")
    assert differences(odd, storage.open_trajectory(path)) == []


def test_a_run_without_samples_comes_back(trajectory, tmp_path):
    empty = trajectory.part(slice(0, 0))
    assert differences(empty, storage.open_trajectory(storage.save(empty, tmp_path / "x.h5"))) == []


def test_a_model_without_states_comes_back(tmp_path):
    bath = Compartment("sea", "bath", None, {})
    model = Model({}, {"sea": bath}, {}, Simulation(10.0))
    segments = tuple(segments_of(model))
    initial = InitialState(np.zeros(0), {}, {})
    values = values_of(model, segments)
    values = complete_values(model, segments, values[0], values, initial)
    run = Run(
        model=model,
        layout=lay_out(model),
        segments=segments,
        values=tuple(values),
        initial=initial,
        status="done",
        message="",
        end_time=10.0,
        end_state=np.zeros(0),
        statistics=Statistics(),
        origin=Origin(),
    )
    trajectory = Trajectory(run, np.array([0.0, 10.0]), np.zeros(2, dtype=np.int32), np.zeros((2, 0)))
    path = storage.save(trajectory, tmp_path / "x.h5")
    assert differences(trajectory, storage.open_trajectory(path)) == []


def test_a_failed_run_comes_back_with_its_message(tmp_path):
    with pytest.raises(SolverError) as caught:
        simulate(with_simulation(p1(), max_steps=20))
    again = storage.open_trajectory(storage.save(caught.value.trajectory, tmp_path / "x.h5"))
    assert again.status == "failed"
    assert "20 steps were not enough" in again.run.message
    assert differences(caught.value.trajectory, again) == []


def test_a_settings_formula_of_the_protocol_comes_back(tmp_path):
    model = pump_leak()
    half = ParameterStep(5.0, None, {"pump_rate": 0.7e-6})
    trajectory = simulate(with_simulation(replace(model, protocol=(*model.protocol, half)), duration=100.0))
    assert differences(trajectory, storage.open_trajectory(storage.save(trajectory, tmp_path / "x.h5"))) == []


def test_saving_twice_gives_the_same_numbers(trajectory, tmp_path):
    paths = [storage.save(trajectory, tmp_path / name) for name in ("a.h5", "b.h5")]
    assert differences(*(storage.open_trajectory(p) for p in paths)) == []
    assert os.listdir(tmp_path).sort() == ["a.h5", "b.h5"].sort()


def test_a_run_goes_on_from_its_checkpoint(tmp_path):
    """Half a run, saved; the rest from the file: it ends where the whole run ends."""
    whole = simulate(with_simulation(p1(), duration=2000.0))
    path = storage.save(simulate(with_simulation(p1(), duration=1000.0)), tmp_path / "half.h5")
    half = storage.open_trajectory(path)
    integration = Integration(half.model)
    integration._progress.y[:] = half.run.end_state
    for _ in integration.blocks():
        pass
    assert integration.outcome().end_state == pytest.approx(whole.run.end_state, rel=1e-5)


# -- what other programs see ----------------------------------------------------------------------------------------


def test_xarray_opens_the_series_with_time_as_coordinate(trajectory, saved):
    import xarray  # takes long to import

    with xarray.open_dataset(saved, engine="h5netcdf", group="timeseries") as series:
        assert list(series.sizes) == ["time"]
        assert np.array_equal(series.coords["time"], trajectory.time)
        assert series["time"].attrs["units"] == "s"
        assert series["plasma.V"].attrs["units"] == "mV"
        assert series["plasma.V"].attrs["long_name"] == "membrane potential of plasma, inside minus outside"
        assert np.array_equal(series["plasma.V"], trajectory.membrane_potential("plasma") * 1e3)
        assert np.array_equal(series["cell.K"], trajectory.concentration("cell", "K"))
        assert np.array_equal(series["plasma.E.K"], trajectory.reversal_potential("plasma", "K") * 1e3)
        assert np.array_equal(series["plasma.flux.Na"], trajectory.flux("plasma", "Na") * 1e6)
        assert np.array_equal(series["plasma.current"], trajectory.current_density("plasma") * 1e2)
        pump = trajectory.pathway_current_density("plasma", "pump") * 1e2
        assert np.array_equal(series["plasma.pump.current"], pump)


def test_every_column_is_what_the_trajectory_says_in_the_unit_it_names(tmp_path):
    trajectory = simulate(with_recording(with_groups(pump_leak(), *EVERY_GROUP), points=20, quantities=EVERY_GROUP))
    getters = {
        "membrane_potential": trajectory.membrane_potential,
        "concentration": trajectory.concentration,
        "amount": trajectory.amount,
        "activity": trajectory.activity,
        "volume": trajectory.volume,
        "reversal_potential": trajectory.reversal_potential,
        "driving_force": trajectory.driving_force,
        "flux": trajectory.flux,
        "efflux": lambda m, s: trajectory.unidirectional_fluxes(m, s)[0],
        "influx": lambda m, s: trajectory.unidirectional_fluxes(m, s)[1],
        "current_density": trajectory.current_density,
    }
    checked = 0
    with h5py.File(storage.save(trajectory, tmp_path / "x.h5")) as file:
        series = file["timeseries"]
        for dataset in series.values():
            if "quantity" not in dataset.attrs or {"impermeant", "pathway"} & set(dataset.attrs):
                continue
            place = [dataset.attrs[k] for k in ("compartment", "membrane", "species") if k in dataset.attrs]
            scale, _ = parse_unit(dataset.attrs["units"])
            expected = getters[dataset.attrs["quantity"]](*place)
            assert np.allclose(dataset[()] * scale, expected, rtol=1e-14, atol=0), dataset.name
            checked += 1
        assert {d.attrs["quantity"] for d in series.values() if "quantity" in d.attrs} == set(getters)
        assert series["cell.A"][0] == pytest.approx(140.0)
    assert checked > 35


def test_recorded_quantities_water_gates_and_injections(tmp_path):
    trajectory = simulate(with_recording(everything(), points=20))
    with h5py.File(storage.save(trajectory, tmp_path / "x.h5")) as file:
        series = file["timeseries"]
        expected = {
            "cell.volume": trajectory.volume("cell"),
            "plasma.area": trajectory.area("plasma"),
            "plasma.water_flux": trajectory.water_flux("plasma"),
            "plasma.leak.m": trajectory.gate("plasma", "leak", "m"),
            "plasma.leak.current": trajectory.pathway_current_density("plasma", "leak"),
            "stimulus.injected_current": np.clip((trajectory.time - 10.0) / 20.0, 0.0, 1.0) * 1e-12,
            "cell.Y": trajectory.concentration("cell", "Y"),
        }
        for name, values in expected.items():
            scale, _ = parse_unit(series[name].attrs["units"])
            assert np.allclose(series[name][()] * scale, values, rtol=1e-12, atol=0), name
            assert np.ptp(values) > 0, name
        assert np.max(np.abs(file["diagnostics/balance/mass.X+Y.cell"])) < 1e-12
        assert file["diagnostics/balance/received.K.cell"].attrs["long_name"] == (
            "K in cell: received from bath, injection stimulus, net, since the start"
        )


def test_the_scenario_chooses_what_is_written():
    assert [c.name for c in recorded_quantities(with_groups(p1(), "potentials"))] == ["plasma.V"]
    assert recorded_quantities(with_groups(p1())) == []
    named = {c.kind for c in recorded_quantities(p1())}
    assert named == {"membrane_potential", "concentration", "volume", "reversal_potential", "flux", "current_density"}
    with pytest.raises(ValueError, match="no group of quantities colours; there are potentials, concentrations"):
        with_groups(p1(), "colours")


def test_quantities_of_one_name_get_numbers(tmp_path):
    """A membrane ``x`` beside a compartment ``x`` that holds a solute ``V``: both would be ``x.V``."""
    model = p1()
    cell, plasma = model.compartments["cell"], model.membranes["plasma"]
    solutes = (*cell.impermeants, Impermeant("V", -1, 1.0), Impermeant("W", 1, 1.0))
    model = replace(
        model,
        compartments={"x": replace(cell, name="x", impermeants=solutes), "bath": model.compartments["bath"]},
        membranes={"x": replace(plasma, name="x", inside="x")},
    )
    trajectory = simulate(with_recording(model, points=5))
    with h5py.File(storage.save(trajectory, tmp_path / "x.h5")) as file:
        assert file["timeseries/x.V"].attrs["quantity"] == "membrane_potential"
        assert file["timeseries/x.V_2"].attrs["quantity"] == "concentration"


def test_a_trajectory_gives_quantities_by_the_names_of_its_file():
    trajectory = simulate(with_recording(everything(), points=5))
    recorded = recorded_quantities(trajectory.model)
    assert len(recorded) > 20
    for quantity in recorded:
        np.testing.assert_array_equal(trajectory[quantity.name] * quantity.scale, quantity.values(trajectory))
    with pytest.raises(iontide.UnknownNameError, match=r"no quantity cell\.volum; did you mean cell\.volume"):
        trajectory["cell.volum"]


def test_names_with_slashes_make_no_groups(tmp_path):
    model = p1()
    cell, plasma = replace(model.compartments["cell"], name="a/b"), replace(model.membranes["plasma"], inside="a/b")
    model = replace(model, compartments={"a/b": cell, "bath": model.compartments["bath"]}, membranes={"plasma": plasma})
    trajectory = simulate(with_recording(model, points=5))
    path = storage.save(trajectory, tmp_path / "x.h5")
    assert differences(trajectory, storage.open_trajectory(path)) == []
    with h5py.File(path) as file:
        assert isinstance(file["timeseries/a_b.K"], h5py.Dataset)


def test_nexus_viewers_find_the_potential(saved):
    """Following ``default`` from the root, as NeXus requires (NXroot, NXentry, NXdata)."""
    with h5py.File(saved) as file:
        node, classes = file, [file.attrs["NX_class"]]
        while "default" in node.attrs:
            node = node[node.attrs["default"]]
            classes.append(node.attrs["NX_class"])
        assert classes == ["NXroot", "NXentry", "NXdata"]
        signal, axis = node[node.attrs["signal"]], node[node.attrs["axes"]]
        assert signal.attrs["units"] == "mV"
        assert axis == file["timeseries/time"]
        assert signal.dims[0][0] == axis


def test_every_dataset_has_a_checksum_and_is_compressed(saved):
    plain = []

    def look(name, item):
        if isinstance(item, h5py.Dataset) and not (item.fletcher32 and item.shuffle and item.compression == "gzip"):
            plain.append(name)

    with h5py.File(saved) as file:
        file.visititems(look)
    assert plain == []


def test_the_root_says_what_the_file_is(trajectory, saved):
    with h5py.File(saved) as file:
        attributes = dict(file.attrs)
    assert attributes["format"] == "iontide-trajectory"
    assert attributes["format_version"] == 2
    assert attributes["status"] == "done"
    assert attributes["run_id"] == run_id(trajectory.model)
    assert attributes["title"] == "pump-leak"
    assert attributes["created"].endswith("+00:00")


def test_provenance(trajectory, saved):
    with h5py.File(saved) as file:
        group = file["provenance"]
        assert group["scenario"].asstr()[0] == trajectory.run.origin.text
        assert group.attrs["scenario_sha256"] == hashlib.sha256(trajectory.run.origin.text.encode()).hexdigest()
        assert json.loads(group["overrides"].asstr()[0]) == trajectory.run.origin.overrides
        assert json.loads(group["model"].asstr()[0])["model"]["title"] == "pump-leak"
        assert list(group["argv"].asstr()[()]) == sys.argv
        assert {"iontide", "python", "numpy", "numba", "llvmlite", "h5py", "cpu", "finished"} <= set(group.attrs)
        header = json.loads(group["header"].asstr()[0])
        assert header["provenance"] == dict(group.attrs)
        assert header["status"] == file.attrs["status"]


def test_balance_and_warnings_are_in_the_file(trajectory, saved):
    with h5py.File(saved) as file:
        group = file["diagnostics"]
        assert group.attrs["max_charge_drift"] < 1e-10
        assert group.attrs["steps"] > 0
        assert np.max(np.abs(group["balance/charge.cell"])) == group.attrs["max_charge_drift"]
        assert group["balance/received.K.cell"].attrs["units"] == "fmol"
        amount = trajectory.amount("cell", "K")
        assert np.ptp(amount) > 0
        assert np.allclose(group["balance/received.K.cell"], (amount - amount[0]) * 1e15, rtol=1e-9, atol=1e-9)
        assert len(group["balance/charge.cell"]) == len(file["timeseries/time"])


def test_both_sides_of_a_protocol_step_are_saved(saved):
    import xarray  # takes long to import

    with xarray.open_dataset(saved, engine="h5netcdf", group="timeseries") as series:
        at_step = series.isel(time=np.flatnonzero(series["time"].values == 10_000.0))
        assert list(at_step["segment"].values) == [0, 1]
        before, after = at_step["plasma.pump.current"].values
        assert before > 0 == after


def test_importing_storage_does_not_import_h5py():
    code = "import sys, iontide.storage; print('h5py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
