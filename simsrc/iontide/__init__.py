"""iontide: what ions, volumes and potentials do in time, from a scenario file.

>>> import iontide
>>> trajectory = iontide.run("scenarios/pump_leak_cell.toml")
>>> trajectory.membrane_potential("plasma")[-1]  # V

All numbers are SI; a flux or current is positive outward; a membrane potential is inside minus outside.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .basin_scan import Basins, basins
    from .continuation import Branch, continue_steady_state
    from .electrode import ElectrodeReading, Junction, electrode_reading, junction, junction_potential
    from .energy import Energetics, energetics
    from .errors import FileError, IontideError, ScenarioError, SolverError, UsageError
    from .forward import TrajectorySensitivities, trajectory_sensitivities
    from .ions import find_ion, ion_library
    from .model import (
        Clamp,
        Compartment,
        Electrode,
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
        Reference,
        Simulation,
        Source,
        Species,
        Tracer,
    )
    from .plots import plot
    from .potentials import ghk_potential, nernst_potential
    from .scenario.read import Scenario, load, loads
    from .sensitivity import Sensitivities, steady_sensitivities
    from .simulate import run
    from .steady import SteadyState, steady_state
    from .storage import open_branch
    from .storage import open_trajectory as open
    from .sweep.api import sweep
    from .sweep.reading import Sweep, open_sweep
    from .trajectory import Trajectory
    from .verdict import Verdict, verdict_of

# Where each public name lives; imported when first asked for, so that `iontide --help` waits for nothing.
_HOME = {
    "Basins": "basin_scan",
    "basins": "basin_scan",
    "Branch": "continuation",
    "continue_steady_state": "continuation",
    "Sensitivities": "sensitivity",
    "steady_sensitivities": "sensitivity",
    "open_branch": "storage",
    "Energetics": "energy",
    "energetics": "energy",
    "ElectrodeReading": "electrode",
    "Junction": "electrode",
    "electrode_reading": "electrode",
    "junction": "electrode",
    "junction_potential": "electrode",
    "FileError": "errors",
    "IontideError": "errors",
    "ScenarioError": "errors",
    "SolverError": "errors",
    "UsageError": "errors",
    "TrajectorySensitivities": "forward",
    "trajectory_sensitivities": "forward",
    "find_ion": "ions",
    "ion_library": "ions",
    "Compartment": "model",
    "Impermeant": "model",
    "Membrane": "model",
    "Model": "model",
    "Parameter": "model",
    "ParameterStep": "model",
    "Pathway": "model",
    "Recording": "model",
    "Simulation": "model",
    "Species": "model",
    "Clamp": "model",
    "Electrode": "model",
    "Reference": "model",
    "Event": "model",
    "Exchange": "model",
    "Gate": "model",
    "Hold": "model",
    "Injection": "model",
    "IonClamp": "model",
    "Reaction": "model",
    "Source": "model",
    "SteadyState": "steady",
    "steady_state": "steady",
    "Verdict": "verdict",
    "verdict_of": "verdict",
    "Tracer": "model",
    "plot": "plots",
    "ghk_potential": "potentials",
    "nernst_potential": "potentials",
    "Scenario": "scenario.read",
    "load": "scenario.read",
    "loads": "scenario.read",
    "run": "simulate",
    "open": "storage",
    "Sweep": "sweep.reading",
    "open_sweep": "sweep.reading",
    "Trajectory": "trajectory",
}

__all__ = [
    "Basins",
    "Branch",
    "Clamp",
    "Compartment",
    "Electrode",
    "ElectrodeReading",
    "Energetics",
    "Event",
    "Exchange",
    "FileError",
    "Gate",
    "Hold",
    "Impermeant",
    "Injection",
    "IonClamp",
    "IontideError",
    "Junction",
    "Membrane",
    "Model",
    "Parameter",
    "ParameterStep",
    "Pathway",
    "Reaction",
    "Recording",
    "Reference",
    "Scenario",
    "ScenarioError",
    "Sensitivities",
    "Simulation",
    "SolverError",
    "Source",
    "Species",
    "SteadyState",
    "Sweep",
    "Tracer",
    "Trajectory",
    "TrajectorySensitivities",
    "UsageError",
    "Verdict",
    "basins",
    "continue_steady_state",
    "electrode_reading",
    "energetics",
    "find_ion",
    "ghk_potential",
    "ion_library",
    "junction",
    "junction_potential",
    "load",
    "loads",
    "nernst_potential",
    "open",
    "open_branch",
    "open_sweep",
    "plot",
    "run",
    "steady_sensitivities",
    "steady_state",
    "sweep",
    "trajectory_sensitivities",
    "verdict_of",
]


def __getattr__(name: str) -> Any:
    if name == "sweep":  # a package that can be called
        return import_module(".sweep", __name__)
    if name not in _HOME:
        raise AttributeError(f"module 'iontide' has no attribute {name!r}")
    attribute = "open_trajectory" if name == "open" else name
    value = getattr(import_module(f".{_HOME[name]}", __name__), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
