"""What a result file holds, from the quantities of a model that has every kind of part."""

from __future__ import annotations

from dataclasses import replace

from formula_names import EXAMPLE
from iontide.model.protocol import RECORDING_GROUPS
from iontide.scenario.read import load
from iontide.storage.recorded import recorded_quantities
from markdown_tables import code, table


def groups() -> str:
    """Each group of ``recording.quantities``: its quantities, each with a dataset as an example, its unit."""
    model = load(EXAMPLE).model
    parts = []
    for group, is_usual in RECORDING_GROUPS.items():
        rows, seen = [], set()
        for quantity in recorded_quantities(replace(model, recording=replace(model.recording, quantities=(group,)))):
            if quantity.kind not in seen:
                seen.add(quantity.kind)
                rows.append([code(quantity.kind), code(quantity.name), quantity.units, quantity.long_name])
        usual = "Recorded unless the file says otherwise.\n\n" if is_usual else ""
        head = ["quantity", "dataset, for example", "unit", "of the example"]
        parts.append(f"### `{group}` {{ #group-{group} }}\n\n{usual}{table(head, rows)}")
    return "\n".join(parts)
