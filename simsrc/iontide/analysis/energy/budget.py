"""The balance of energy at one sample as plain values, fit for JSON: what ``iontide info`` reports of the end."""

from __future__ import annotations

import math
from typing import Any

from .balance import Energetics

#: W and mol s⁻¹ in what the keys name.
_PICO, _ATTO = 1e12, 1e18


def budget(energetics: Energetics, sample: int = -1) -> dict[str, Any]:
    """Powers (pW), by place in the model with a label each, and what each pump turns over.

    A number that is undefined or not finite is None.

    Parameters
    ----------
    energetics : Energetics
    sample : int
    """
    terms = {"power_in": energetics.sources, "dissipation": energetics.sinks}
    return {
        key: {p.path: {"label": p.label, "pW": _number(p.values[sample] * _PICO)} for p in powers}
        for key, powers in terms.items()
    } | {
        "storing_pW": {kind: _number(rate[sample] * _PICO) for kind, rate in energetics.storing.items()},
        "stored_pJ": {kind: _number(energy[sample] * _PICO) for kind, energy in energetics.stored.items()},
        "total_power_in_pW": _number(energetics.power_in[sample] * _PICO),
        "total_dissipation_pW": _number(energetics.dissipation[sample] * _PICO),
        "pumps": {
            path: {
                "driven_by": pump.driven_by,
                "turnover_amol_per_s": _number(pump.turnover[sample] * _ATTO),
                "free_energy_kJ_per_mol": _number(pump.free_energy[sample] * 1e-3),
                "work_pW": _number(pump.work[sample] * _PICO),
                "fuel_pW": _number(pump.fuel[sample] * _PICO),
                "efficiency": _number(pump.efficiency[sample]),
            }
            for path, pump in energetics.pumps.items()
        },
        "balance_closes_to": _number(energetics.closure[sample]),
    }


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if math.isfinite(value) else None
