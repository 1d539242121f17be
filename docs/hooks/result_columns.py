"""What a result file holds, from the columns that a model with every kind of part asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from formula_names import EXAMPLE
from iontide.scenario.read import load
from iontide.scenario.schema.protocol import Group
from iontide.storage.columns import DEFAULT_GROUPS, columns_of
from markdown_tables import code, table


def groups() -> str:
    """Each group of ``recording.quantities``: its quantities, each with a dataset as an example, its unit."""
    model = load(EXAMPLE).model
    parts = []
    for group in get_args(Group):
        columns = columns_of(replace(model, recording=replace(model.recording, quantities=(group,))))
        rows, seen = [], set()
        for column in columns:
            if column.quantity not in seen:
                seen.add(column.quantity)
                rows.append([code(column.quantity), code(column.name), column.units, column.long_name])
        default = " Recorded unless the file says otherwise." if group in DEFAULT_GROUPS else ""
        head = ["quantity", "dataset, for example", "unit", "of the example"]
        parts.append(f"### `{group}` {{ #group-{group} }}\n\n{default.strip()}\n\n{table(head, rows)}")
    return "\n".join(parts)
