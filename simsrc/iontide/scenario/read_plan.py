"""Reading a sweep: from a scenario with ``[sweep]``, or from a plan file that names a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Fault, ScenarioError, UsageError, did_you_mean, listed
from .edits.overrides import apply_overrides
from .read import Scenario, load, loads, read_tables, read_text
from .schema import schema_lookup
from .schema.document import Document
from .schema.quantity_kinds import show
from .schema.validate import check_structure
from .sweeps.form import SweepForm, read_sweep
from .text.faults import Faults
from .text.key_lines import KeyPath

#: Keys of a plan file that names a scenario.
PLAN_KEYS = ("title", "description", "scenario", "set", "sweep")


@dataclass(frozen=True)
class SweepFile:
    """A sweep whose table is without a fault, and the scenario that it varies.

    Attributes
    ----------
    source : str
        Name of the file that holds ``[sweep]``.
    scenario : Scenario
        With the values that were set; what is varied is as in the file.
    table : dict
        ``[sweep]`` as written, with the values that were set.
    form : SweepForm
    faults : Faults
        Has the lines of that file; empty.
    """

    source: str
    scenario: Scenario
    table: dict[str, Any]
    form: SweepForm
    faults: Faults


def read_sweep_file(path: str, set: Mapping[str, Any] | None = None) -> SweepFile:
    """Read a scenario with ``[sweep]``, or a plan file: ``scenario = "cell.toml"``, perhaps ``set``, and ``[sweep]``.

    Parameters
    ----------
    path : str
    set : mapping of str to value, optional
        Other values by dotted path; those below ``sweep.`` belong to the sweep, the others to the scenario.

    Raises
    ------
    FileError, ScenarioError, UsageError
    """
    given = dict(set or {})
    of_sweep = {key: value for key, value in given.items() if key.split(".")[0] == "sweep"}
    of_scenario = {key: value for key, value in given.items() if key not in of_sweep}
    text = read_text(path)
    written, lines = read_tables(text, path)
    if "scenario" in written:
        scenario = _named_scenario(path, written, lines, of_scenario)
    else:
        scenario = loads(text, path, of_scenario)
    if "sweep" not in written and not of_sweep:
        message = "missing; a sweep needs it, as [sweep] with vary = { … }"
        raise ScenarioError(path, [Fault(0, "sweep", message)])
    return sweep_of(scenario, written.get("sweep", {}), path, lines, of_sweep)


def sweep_of(
    scenario: Scenario,
    table: Mapping[str, Any],
    source: str,
    lines: Mapping[KeyPath, int],
    set: Mapping[str, Any] | None = None,
) -> SweepFile:
    """A scenario with a sweep over it.

    Parameters
    ----------
    scenario : Scenario
    table : mapping
        ``[sweep]`` as tomllib reads it.
    source : str
        What messages call the file that holds it.
    lines : mapping of tuple to int
        Its lines.
    set : mapping of str to value, optional
        Values for the table, by paths that begin with ``sweep.``.

    Raises
    ------
    ScenarioError
        With all faults of the table.
    UsageError
        A path in ``set`` does not exist.
    """
    raw, applied, _ = apply_overrides({"sweep": dict(table)}, set)
    faults = Faults(lines, applied)
    # The smallest valid scenario: only the sweep is checked here.
    document = check_structure({**schema_lookup.placeholder(Document), **raw}, faults)
    form = None if document.sweep is None else read_sweep(document.sweep, faults)
    if form is None or faults.found:
        raise ScenarioError(source, faults.found)
    return SweepFile(source, scenario, raw["sweep"], form, faults)


def _named_scenario(
    source: str, written: dict[str, Any], lines: Mapping[KeyPath, int], given: Mapping[str, Any]
) -> Scenario:
    """The scenario that a plan file names, with the values that the file and the caller set."""
    faults = Faults(lines)
    for key in written:
        if key not in PLAN_KEYS:
            near = did_you_mean(key, PLAN_KEYS)
            faults.add((key,), f"no such key{near} (a plan that names a scenario has {listed(PLAN_KEYS)})")
    name, settings = written["scenario"], written.get("set", {})
    if not isinstance(name, str) or not name:
        faults.add(("scenario",), f"must be the name of a scenario file, in quotes, got {show(name)}")
    if not isinstance(settings, dict):
        faults.add(("set",), f'must be a table of values by path, as {{ "parameters.P_K" = … }}, got {show(settings)}')
    if "sweep" not in written:
        faults.add(("sweep",), "missing; a plan needs it, as [sweep] with vary = { … }")
    if faults.found:
        raise ScenarioError(source, faults.found)
    file = str(Path(source).parent / name)
    try:
        return load(file, {**settings, **given})
    except UsageError as error:
        for problem in str(error).splitlines():
            path, _, message = problem.removeprefix("--set ").partition(": ")
            if path in given or path not in settings:
                raise
            faults.add(("set", path), message)
        raise ScenarioError(source, faults.found) from None
