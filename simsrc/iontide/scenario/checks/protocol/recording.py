"""Checks of the duration and the temperature of a run, and of its sample times."""

from __future__ import annotations

from ...schema import quantity_kinds
from ...schema.protocol import TimesTable
from ...text.key_lines import KeyPath
from ..context.draft import Draft

DURATION_PATH: KeyPath = ("simulation", "duration")
TEMPERATURE_PATH: KeyPath = ("simulation", "temperature")
TIMES_PATH: KeyPath = ("recording", "times")


def read_simulation(draft: Draft) -> None:
    """Read duration and temperature."""
    table = draft.document.simulation
    draft.quantities.read(DURATION_PATH, table.duration, quantity_kinds.DURATION, constant=True)
    warmth = draft.quantities.read(TEMPERATURE_PATH, table.temperature, quantity_kinds.TEMPERATURE)
    draft.quantities.know_temperature(warmth)
    molar_volume = ("simulation", "water_molar_volume")
    draft.quantities.read(molar_volume, table.water_molar_volume, quantity_kinds.WATER_MOLAR_VOLUME)
    free_energy = ("simulation", "atp_free_energy")
    draft.quantities.read(free_energy, table.atp_free_energy, quantity_kinds.ATP_FREE_ENERGY)


def check_before_end(draft: Draft, path: KeyPath, raw: str | None, value: float | None) -> None:
    duration = draft.value(*DURATION_PATH)
    if value is not None and duration is not None and value >= duration:
        end = draft.document.simulation.duration
        hint = "; for a permanent change write at = …" if path[-1] == "to" else ""
        draft.faults.add(path, f"must be before the end, {end}, got {raw}{hint}")


def read_recording(draft: Draft) -> None:
    """Read the sample times."""
    times = draft.document.recording.times
    if isinstance(times, TimesTable):
        _read_spaced(draft, times)
    elif isinstance(times, list):
        _read_list(draft, times)


def _read_spaced(draft: Draft, times: TimesTable) -> None:
    path = (*TIMES_PATH, "first")
    if draft.faults.is_faulty(*TIMES_PATH, "spacing"):
        return
    if times.spacing == "linear":
        if times.first is not None:
            draft.faults.add(path, 'applies only to spacing = "log"; linear spacing starts at 0; leave it out')
        return
    first = draft.quantities.read(path, times.first, quantity_kinds.DURATION, constant=True)
    if times.first is None and not draft.faults.is_faulty(*path):
        draft.faults.add(path, 'missing; spacing = "log" needs the first time after 0 (as "1 ms")')
    check_before_end(draft, path, times.first, first)


def _read_list(draft: Draft, times: list[str]) -> None:
    duration = draft.value(*DURATION_PATH)
    before: float | None = None
    if not times:
        draft.faults.add(TIMES_PATH, "is empty; name at least one time")
    for index, raw in enumerate(times):
        path = (*TIMES_PATH, index)
        value = draft.quantities.read(path, raw, quantity_kinds.TIME, constant=True)
        if value is None:
            continue
        if before is not None and value <= before:
            draft.faults.add(path, f"sample times must increase; {raw} comes after {times[index - 1]}")
        elif duration is not None and value > duration:
            end = draft.document.simulation.duration
            draft.faults.add(path, f"must not be after the end, {end}, got {raw}")
        before = value
