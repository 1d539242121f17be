"""The layout of a result file, and its writer, which serves runs in memory and streamed runs.

::

    /               NXroot; format, format_version, run_id, status, created, title, description, default="timeseries"
    /timeseries     NXentry; time (s), segment, and one dataset per quantity (``recorded``) with units and long_name,
                    attached to ``time`` as its dimension scale: xarray opens this group with time as a coordinate
    /timeseries/plot    NXdata: hard links to time and the membrane potentials. NeXus requires the default plot to be an
                    NXdata in an NXentry; viewers that follow ``default`` from the root show V(t)
    /state          states (samples, n) in SI, unrounded; initial (n,); names
    /diagnostics    statistics; charge and mass balance over time; warnings; message; with non-ideal activities,
                    the largest activity correction of each Nernst potential
    /checkpoint     the state at the end, unrounded, its time, and the fixed charges: a run can be continued from it
    /provenance     scenario, overrides, resolved model (JSON), command line; versions, commit, CPU, times. ``header``
                    repeats the text attributes of this group and of the root as JSON: the reader uses only the
                    header, because text attributes have no checksum. In every version of the layout it contains
                    format and format_version

Format 1.10 of HDF5 instead of the oldest: its headers and indices have checksums, and allow any number of datasets.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import h5py
import numpy as np

from ..analysis.audit.diagnostics import Audit
from ..analysis.classification import verdict_of
from ..equations.states import Layout
from ..model.model import Model
from ..simulation.quantities import unique_name
from ..simulation.run import Run
from ..simulation.trajectory import Trajectory
from .datasets import FILTERS, FORMAT, FORMAT_VERSION, write_array, write_text, write_texts
from .provenance import Provenance, utc_now
from .recorded import recorded_quantities

#: Arguments of ``h5py.File`` for writing. Each chunk is written once and completely, so a cache would be of no use.
FILE_OPTIONS: dict[str, Any] = {"libver": ("v110", "v110"), "rdcc_nbytes": 0}

#: Maximum number of rows in a chunk (64 kB of doubles), and of numbers in memory at a time when streaming.
CHUNK_ROWS = 8192
BLOCK_NUMBERS = 500_000

_FIXED_SIZE = 1 << 20
_DATASET_SIZE = 10_000
_CHUNK_SIZE = 256


class Plan:
    """Plan of a file before it is written: its quantities, chunks, blocks and maximum size."""

    def __init__(self, model: Model, layout: Layout, samples: int | None) -> None:
        self.quantities = recorded_quantities(model)
        self.width = len(self.quantities) + layout.size + len(model.compartments) * (1 + len(model.species)) + 2
        longest = max(64, min(CHUNK_ROWS, BLOCK_NUMBERS // self.width))
        self.chunk_rows = longest if samples is None else max(1, min(longest, samples))
        self.block_rows = max(1, BLOCK_NUMBERS // (self.width * self.chunk_rows)) * self.chunk_rows

    def size_limit(self, samples: int) -> int:
        """Maximum size of this number of samples, bytes: incompressible data, and the metadata of their chunks."""
        chunks = math.ceil(samples / self.chunk_rows)
        # deflate adds at most 5 bytes per 16 kB block and a few more to data it cannot shrink.
        chunk = math.ceil(self.chunk_rows * 8 * 1.002) + _CHUNK_SIZE
        return chunks * self.width * chunk

    def fixed_size_limit(self, texts: int) -> int:
        """Maximum size of everything else, bytes, from that of its texts."""
        return _FIXED_SIZE + self.width * _DATASET_SIZE + 2 * texts


#: Number of samples in the last part that suffices to detect an oscillation.
ENOUGH_FOR_VERDICT = 1000


class Writer:
    """Writes one run to an open, empty HDF5 file: ``add`` its samples in order, then ``finish``."""

    def __init__(self, file: h5py.File, plan: Plan, layout: Layout) -> None:
        self._file, self._plan, self._layout = file, plan, layout
        self._rows = 0
        self._audit = Audit()
        self._series: dict[str, h5py.Dataset] = {}
        group = file.create_group("timeseries", track_order=True)
        self._time = self._new(group, "time", "f8", units="s", long_name="time")
        self._time.make_scale("time")
        self._segment = self._new(group, "segment", "i4", long_name="number of the stretch between protocol steps")
        self._segment.dims[0].attach_scale(self._time)
        for quantity in plan.quantities:
            dataset = self._new(group, quantity.name, "f8", **quantity.attributes)
            dataset.dims[0].attach_scale(self._time)
            self._series[quantity.name] = dataset
        self._states = self._new_states(file.create_group("state")) if layout.size else None
        file.create_group("diagnostics").create_group("balance")
        self._balances: dict[str, h5py.Dataset] = {}
        self._late: Trajectory | None = None  # the last samples, from which the verdict is derived

    def _new(self, group: h5py.Group, name: str, dtype: str, **attributes: str) -> h5py.Dataset:
        dataset = group.create_dataset(
            name, shape=(0,), maxshape=(None,), dtype=dtype, chunks=(self._plan.chunk_rows,), **FILTERS
        )
        dataset.attrs.update(attributes)
        return dataset

    def _new_states(self, group: h5py.Group) -> h5py.Dataset:
        n = self._layout.size
        # One column per chunk: the values of one state are similar, so they compress well.
        dataset = group.create_dataset(
            "states", shape=(0, n), maxshape=(None, n), dtype="f8", chunks=(self._plan.chunk_rows, 1), **FILTERS
        )
        dataset.attrs["units"] = "SI"
        dataset.attrs["long_name"] = "states, each in its SI unit, in the order of names"
        return dataset

    def add(self, part: Trajectory) -> None:
        """Write the next samples. All parts but the last have a whole number of chunks."""
        if self._rows % self._plan.chunk_rows:
            raise ValueError("only the last part may end within a chunk")
        start, self._rows = self._rows, self._rows + len(part)
        self._append(self._time, part.time, start)
        self._append(self._segment, part.segment, start)
        for quantity in self._plan.quantities:
            self._append(self._series[quantity.name], quantity.values(part), start)
        if self._states is not None:
            self._append(self._states, part.states, start)
        self._late = part if self._late is None or len(part) >= ENOUGH_FOR_VERDICT else _joined(self._late, part)
        charge, mass = self._audit.add(part)
        for name, drift in charge.items():
            long_name = f"charge of {name} that is out of balance, relative to all charge in it"
            self._append(self._balance_series(f"charge.{name}", "1", long_name), drift, start)
        for balance in mass:
            name = f"{balance.what.replace(' ', '')}.{'_'.join(balance.compartments)}"
            if balance.relative_drift is not None:
                long_name = f"relative change of the total of {balance.label}, which is closed"
                self._append(self._balance_series(f"mass.{name}", "1", long_name), balance.relative_drift, start)
            else:
                long_name = f"{balance.label}: received from {', '.join(balance.sources)}, net, since the start"
                with np.errstate(over="ignore"):
                    received = balance.received * 1e15
                self._append(self._balance_series(f"received.{name}", "fmol", long_name), received, start)

    def _balance_series(self, name: str, units: str, long_name: str) -> h5py.Dataset:
        """The dataset of one balance, created if it does not exist; ``long_name`` identifies the balance."""
        if long_name not in self._balances:
            group = self._file["diagnostics/balance"]
            dataset = self._new(group, unique_name(name, set(group)), "f8", units=units, long_name=long_name)
            dataset.dims[0].attach_scale(self._time)
            self._balances[long_name] = dataset
        return self._balances[long_name]

    @staticmethod
    def _append(dataset: h5py.Dataset, values: Any, start: int) -> None:
        dataset.resize(start + len(values), axis=0)
        dataset[start:] = values

    def finish(self, run: Run, provenance: Provenance) -> None:
        """Write everything that is known only at the end."""
        root = self._file
        header = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "run_id": provenance.run_id,
            "status": run.status,
            "created": utc_now(),
        }
        root.attrs["NX_class"] = "NXroot"
        root.attrs["default"] = "timeseries"
        root.attrs.update(header)
        root.attrs["title"] = plain(run.model.title)
        root.attrs["description"] = plain(run.model.description)
        self._finish_plot(run)
        self._finish_state(run)
        self._finish_diagnostics(run)
        group = root.create_group("provenance")
        write_text(group, "header", json.dumps(header | {"provenance": dict(provenance.attributes)}))
        write_provenance(group, provenance)

    def _finish_plot(self, run: Run) -> None:
        entry = self._file["timeseries"]
        entry.attrs["NX_class"] = "NXentry"
        entry.attrs["default"] = "plot"
        plot = entry.create_group("plot")
        signals = [q.name for q in self._plan.quantities if q.kind == "membrane_potential"]
        signals = signals or [q.name for q in self._plan.quantities[:1]]
        plot.attrs["NX_class"] = "NXdata"
        plot.attrs["title"] = plain(run.model.title)
        plot["time"] = self._time
        for name in signals:
            plot[name] = entry[name]
        if signals:
            plot.attrs["signal"] = signals[0]
            plot.attrs["axes"] = "time"
            if signals[1:]:
                plot.attrs["auxiliary_signals"] = signals[1:]

    def _finish_state(self, run: Run) -> None:
        state = self._file.require_group("state")
        write_texts(state, "names", run.layout.names)
        write_array(state, "initial", np.asarray(run.initial.y, dtype=float), units="SI")
        end = self._file.create_group("checkpoint")
        end.attrs["end_time"] = float(run.end_time)
        write_array(end, "state", np.asarray(run.end_state, dtype=float), units="SI")
        write_texts(end, "names", run.layout.names)
        impermeants = run.initial.impermeant_amounts
        write_texts(end, "impermeant_compartments", [c for c, _ in impermeants])
        write_texts(end, "impermeant_names", [name for _, name in impermeants])
        write_array(end, "impermeant_amounts", np.array(list(impermeants.values()), dtype=float), units="mol")
        residual = run.initial.residual_charge
        write_texts(end, "residual_charge_compartments", list(residual))
        write_array(end, "residual_charge", np.array(list(residual.values()), dtype=float), units="mol")

    def _finish_diagnostics(self, run: Run) -> None:
        group = self._file["diagnostics"]
        for name, count in asdict(run.statistics).items():
            group.attrs[name] = count
        group.attrs["max_charge_drift"] = self._audit.summary.max_charge_drift
        group.attrs["max_mass_drift"] = self._audit.summary.max_mass_drift
        write_text(group, "message", run.message)
        write_texts(group, "warnings", self._audit.warnings(run))
        numbers = {event.name: k for k, event in enumerate(run.model.events)}
        write_array(group, "event_times", np.array([c.time for c in run.crossings], dtype=float), units="s")
        write_array(group, "event_numbers", np.array([numbers[c.event] for c in run.crossings], dtype=np.int32))
        write_texts(group, "event_names", list(numbers))
        if self._late is not None:
            late = Trajectory(run, self._late.time, self._late.segment, self._late.states)
            verdict = verdict_of(late)
            write_text(group, "verdict", verdict.sentence)
            numbers_group = group.create_group("verdict_numbers")
            numbers_group.attrs["kind"] = verdict.kind
            for name, number in verdict.numbers.items():
                numbers_group.attrs[plain(name)] = number
        corrections = self._audit.activity_corrections
        if corrections:
            group = group.create_group("activity_correction")
            write_texts(group, "membranes", [membrane for membrane, _ in corrections])
            write_texts(group, "ions", [ion for _, ion in corrections])
            write_array(group, "largest", np.array(list(corrections.values())) * 1e3, units="mV")


def _joined(before: Trajectory, after: Trajectory) -> Trajectory:
    """Two consecutive parts of a run as one."""
    pairs = ((before.time, after.time), (before.segment, after.segment), (before.states, after.states))
    return Trajectory(after.run, *(np.concatenate(pair) for pair in pairs))


def write_provenance(group: h5py.Group, provenance: Provenance) -> None:
    """Versions and times as attributes, texts and the command line as datasets."""
    for name, text in provenance.attributes.items():
        group.attrs[name] = plain(text)
    for name, text in provenance.texts.items():
        write_text(group, name, text)
    write_texts(group, "argv", provenance.argv)


def plain(text: str) -> str:
    """A text that every reader of attributes can show: without NUL and unpaired surrogates."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
