"""What the tests of result files share: when two trajectories are the same bit for bit, and a small one to save."""

from dataclasses import fields, replace

import numpy as np

from iontide.equations.states import lay_out
from iontide.simulation.run import Origin
from iontide.simulation.trajectory import Trajectory
from tests.support.models import pump_leak, with_recording


def small_trajectory():
    """A pump-leak cell with two protocol steps, as if it came from a file."""
    from iontide.simulation.simulate import simulate  # the scripts that only save do not wait for numba

    origin = Origin("pump.toml", 'title = "µ"\n', {"parameters.pump_rate": "1 umol/m^2/s", "simulation.rtol": 1e-8})
    return simulate(with_recording(pump_leak(), "log", points=40, first=1e-3), origin=origin)


def enlarged(trajectory, samples, seed=0):
    """Made-up samples that no filter can shrink, in the shape of a real run."""
    rng = np.random.default_rng(seed)
    noise = 1.0 + 0.5 * rng.random((samples, trajectory.states.shape[1]))
    return Trajectory(
        trajectory.run,
        np.linspace(0.0, trajectory.time[-1], samples),
        np.sort(rng.integers(0, len(trajectory.run.segments), samples)).astype(np.int32),
        trajectory.states[0] * noise,
    )


class Replay:
    """Stands in for an Integration: hands over the samples of a trajectory in blocks of uneven lengths."""

    def __init__(self, trajectory, lengths=(1, 7, 300, 2), steps=False):
        self._trajectory, self._lengths = trajectory, lengths
        recording = replace(trajectory.model.recording, points=len(trajectory))
        if steps:
            recording = replace(recording, spacing="steps")
        self.model = replace(trajectory.model, recording=recording)
        self.layout, self.segments = lay_out(self.model), list(trajectory.run.segments)

    def blocks(self, progress=None):
        t, start, turn = self._trajectory, 0, 0
        while start < len(t):
            end = start + self._lengths[turn % len(self._lengths)]
            yield t.time[start:end], t.segment[start:end].astype(np.int64), t.states[start:end]
            start, turn = end, turn + 1

    def outcome(self):
        return replace(self._trajectory.run, model=self.model, layout=self.layout)


def differences(a, b):
    """Names of what is not the same bit for bit in two trajectories."""
    found = [
        name
        for name in ("time", "segment", "states")
        if getattr(a, name).tobytes() != getattr(b, name).tobytes()
        or getattr(a, name).dtype != getattr(b, name).dtype
        or getattr(a, name).shape != getattr(b, name).shape
    ]
    for f in fields(a.run):
        one, other = getattr(a.run, f.name), getattr(b.run, f.name)
        if f.name == "initial":
            same = (
                one.y.tobytes() == other.y.tobytes()
                and list(one.impermeant_amounts.items()) == list(other.impermeant_amounts.items())
                and list(one.residual_charge.items()) == list(other.residual_charge.items())
            )
        elif f.name == "values":  # however they are kept
            same = [dict(v) for v in one] == [dict(v) for v in other]
        elif f.name == "end_state":
            same = one.tobytes() == other.tobytes()
        else:
            same = repr(one) == repr(other)
        if not same:
            found.append(f.name)
    return found
