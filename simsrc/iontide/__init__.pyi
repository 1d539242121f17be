from .analysis.basins import Basins as Basins
from .analysis.basins import basins as basins
from .analysis.classification import Verdict as Verdict
from .analysis.classification import verdict_of as verdict_of
from .analysis.continuation.continuation import Branch as Branch
from .analysis.continuation.continuation import continue_steady_state as continue_steady_state
from .analysis.energy import Energetics as Energetics
from .analysis.energy import energetics as energetics
from .analysis.run_sensitivity import (
    TrajectorySensitivities as TrajectorySensitivities,
)
from .analysis.run_sensitivity import (
    trajectory_sensitivities as trajectory_sensitivities,
)
from .analysis.steady import SteadyState as SteadyState
from .analysis.steady import steady_state as steady_state
from .analysis.steady_sensitivity import Sensitivities as Sensitivities
from .analysis.steady_sensitivity import steady_sensitivities as steady_sensitivities
from .electrode import (
    ElectrodeReading as ElectrodeReading,
)
from .electrode import (
    Junction as Junction,
)
from .electrode import (
    electrode_reading as electrode_reading,
)
from .electrode import (
    junction as junction,
)
from .electrode import (
    junction_potential as junction_potential,
)
from .errors import (
    FileError as FileError,
)
from .errors import (
    IontideError as IontideError,
)
from .errors import (
    ScenarioError as ScenarioError,
)
from .errors import (
    SolverError as SolverError,
)
from .errors import (
    UnknownNameError as UnknownNameError,
)
from .errors import (
    UsageError as UsageError,
)
from .model.electrodes import Electrode as Electrode
from .model.electrodes import Reference as Reference
from .model.model import Model as Model
from .model.parts import (
    Compartment as Compartment,
)
from .model.parts import (
    Exchange as Exchange,
)
from .model.parts import (
    Gate as Gate,
)
from .model.parts import (
    Impermeant as Impermeant,
)
from .model.parts import (
    Membrane as Membrane,
)
from .model.parts import (
    Pathway as Pathway,
)
from .model.parts import (
    Reaction as Reaction,
)
from .model.parts import (
    Source as Source,
)
from .model.parts import (
    Species as Species,
)
from .model.protocol import (
    Clamp as Clamp,
)
from .model.protocol import (
    Event as Event,
)
from .model.protocol import (
    Hold as Hold,
)
from .model.protocol import (
    Injection as Injection,
)
from .model.protocol import (
    IonClamp as IonClamp,
)
from .model.protocol import (
    Parameter as Parameter,
)
from .model.protocol import (
    ParameterStep as ParameterStep,
)
from .model.protocol import (
    Recording as Recording,
)
from .model.protocol import (
    Simulation as Simulation,
)
from .model.tracers import Tracer as Tracer
from .physics.ghk_nernst import ghk_potential as ghk_potential
from .physics.ghk_nernst import nernst_potential as nernst_potential
from .physics.ions import find_ion as find_ion
from .physics.ions import ion_library as ion_library
from .plots import plot as plot
from .scenario.read import Scenario as Scenario
from .scenario.read import load as load
from .scenario.read import loads as loads
from .simulation.simulate import run as run
from .simulation.trajectory import Trajectory as Trajectory
from .storage import open as open
from .storage import open_branch as open_branch
from .sweeps.api import sweep as sweep
from .sweeps.dataset import Sweep as Sweep
from .sweeps.dataset import open_sweep as open_sweep

__version__: str
