"""The quantities recorded in a result file: those of a run, and those computed from its energetics or electrodes.

In addition to those of ``simulation.quantities`` there are ``<electrode>.V_recorded``, ``<electrode>.LJP_tip`` and
``<electrode>.LJP_bridge``, and those of the group ``energetics``, listed in ``energy_quantities``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from numpy.typing import NDArray

from ..electrode.reading import electrode_reading
from ..model.model import Model
from ..model.protocol import RECORDING_GROUPS
from ..simulation.quantities import GROUPS, Quantity, quantities_of, with_unique_names
from ..simulation.trajectory import Trajectory
from .energy_quantities import energy_quantities


def recorded_quantities(model: Model) -> list[Quantity]:
    """The quantities selected by the recording of a model, in a fixed order, with unique names."""
    chosen = model.recording.quantities
    wanted = [name for name, default in RECORDING_GROUPS.items() if (default if chosen is None else name in chosen)]
    quantities = [*quantities_of(model, set(wanted) & GROUPS.keys())]
    for group in wanted:
        if group in _FURTHER:
            quantities += _FURTHER[group](model)
    return list(with_unique_names(quantities))


def _electrodes(model: Model) -> Iterator[Quantity]:
    for e in model.electrodes:
        of = {"electrode": e.name} | ({"membrane": e.membrane} if e.membrane else {})
        for kind, long_name, attribute in (
            ("V_recorded", f"potential that {e.name} records", "measured"),
            ("LJP_tip", f"junction potential at the tip of {e.name}, bath relative to filling", "tip_junction"),
            ("LJP_bridge", f"junction potential at the bridge of {e.name}, bath relative to bridge", "bridge_junction"),
        ):
            compute = partial(_of_electrode, e.name, attribute)
            yield Quantity(f"{e.name}.{kind}", kind, long_name, "mV", 1e3, compute, of)


def _of_electrode(name: str, attribute: str, part: Trajectory) -> NDArray:
    values: NDArray = getattr(electrode_reading(part, name), attribute)
    return values


#: Groups of ``recording.quantities`` in addition to those of ``simulation.quantities``.
_FURTHER: Mapping[str, Callable[[Model], Iterator[Quantity]]] = {
    "energetics": energy_quantities,
    "electrodes": _electrodes,
}
