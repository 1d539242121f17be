"""The library as tables: rate laws, transporters, ions, activity models, salts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iontide.physics.activity.models import ACTIVITY_MODELS
from iontide.physics.ions import ion_library
from iontide.reports.laws import catalogue
from iontide.scenario.library.laws import EVERY_ION
from markdown_tables import code, listed, table


def _stoichiometry(counts: Mapping[str, int]) -> str:
    return code("{ " + ", ".join(f"{ion} = {count}" for ion, count in counts.items()) + " }")


def laws() -> str:
    """A section for each rate law: how it is written, its formula, its arguments, its source."""
    return "\n".join(_law(law) for law in catalogue()["laws"])


def _law(law: Mapping[str, Any]) -> str:
    facts = [["written", code(law["written"])]]
    if law["stoichiometry"]:
        facts.append(["stoichiometry", " or ".join(map(_stoichiometry, law["stoichiometry"]))])
    facts += [
        ["driven by", law["driven_by"] or "nothing"],
        ["thermodynamic", "yes" if law["is_thermodynamic"] else "no"],
        ["source", law["source"]],
    ]
    arguments = [_argument(path, unit) for path, unit in law["arguments"].items()]
    for group in law["choices"]:
        arguments += [_argument(path, unit, "one of the groups: " + listed(group)) for path, unit in group.items()]
    text = law["description"][:1].upper() + law["description"][1:]
    parts = [f"## `{law['name']}` {{ #{law['name']} }}\n\n{_formula_as_code(text)}\n", table(["", ""], facts)]
    if arguments:
        parts.append(table(["argument", "SI unit", ""], arguments))
    return "\n".join(parts)


def _formula_as_code(text: str) -> str:
    """Asterisks and underscores of a formula kept from meaning emphasis."""
    return text.replace("*", "\\*").replace("_", "\\_")


def _argument(path: str, unit: str, remark: str = "") -> list[str]:
    return [code(path.replace(EVERY_ION, "ION")), "a pure number" if unit == "1" else unit, remark]


def transporters() -> str:
    """Every transporter: its stoichiometry, what drives it, its source."""
    rows = [
        [code(t["name"]), _stoichiometry(t["stoichiometry"]), t["description"], t["driven_by"], t["source"]]
        for t in catalogue()["transporters"]
    ]
    return table(["name", "a cycle carries outward", "what it is", "driven by", "source"], rows)


def ions() -> str:
    """Every ion of the library with its properties."""
    rows = [
        [
            code(ion.name),
            f"{ion.valence:+d}" if ion.valence else "0",
            "" if ion.diffusion_coefficient is None else f"{1e9 * ion.diffusion_coefficient:.4g}",
            "" if ion.ion_size is None else f"{1e10 * ion.ion_size:.3g}",
            "" if ion.truesdell_jones is None else f"{1e10 * ion.truesdell_jones[0]:.3g}, {ion.truesdell_jones[1]:g}",
            ion.description,
        ]
        for ion in ion_library().values()
    ]
    head = ["name", "z", "D at 25 °C, 10⁻⁹ m²/s", "ion size, Å", "Truesdell–Jones a0, Å; b, kg/mol", "what it is"]
    return table(head, rows)


def activity_models() -> str:
    """Every activity model: up to which ionic strength and in which temperatures it holds, and its source."""
    rows = []
    for model in ACTIVITY_MODELS.values():
        low, high = (kelvin - 273.15 for kelvin in model.temperatures)
        is_bounded = high < 1e3
        rows.append(
            [
                code(model.name),
                model.title,
                f"{model.max_ionic_strength:g} mM" if is_bounded else "",
                f"{low:g} to {high:g} °C" if is_bounded else "",
                _NEEDS[model.needs],
                model.source,
            ]
        )
    return table(["name", "model", "ionic strength up to", "temperature", "needs of every ion", "source"], rows)


_NEEDS = {
    "": "",
    "ion_size": "an ion size",
    "truesdell_jones": "Truesdell–Jones parameters",
    "pitzer": "Pitzer parameters",
}
