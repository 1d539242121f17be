"""What a formula may name at each place of a scenario, seen while the checker reads a file that has every key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from iontide.formulas.formula import FLOAT_FUNCTIONS
from iontide.formulas.parser import ARGUMENTS
from iontide.scenario.checks.context.quantities import Quantities
from iontide.scenario.read import loads
from iontide.scenario.schema.quantity_kinds import Kind
from markdown_tables import code, listed, table

EXAMPLE = Path(__file__).parent / "every_key.toml"

#: Names of the example, and what they stand for.
_STANDS_FOR = {
    "K": "ION",
    "Na": "ION",
    "Cl": "ION",
    "L": "ION",
    "M": "ION",
    "Ca": "ION",
    "Kv": "PATHWAY",
    "n": "GATE",
    "m": "GATE",
}
_STANDS_FOR |= {"open": "GATE", "leak": "PATHWAY", "pump": "PATHWAY", "antiporter": "PATHWAY"}


@dataclass(frozen=True)
class Place:
    """One place at which a quantity is read: the names that a formula there may use, each with its dimension."""

    path: tuple[str, ...]
    kind: Kind
    is_constant: bool
    names: Mapping[str, str]


@cache
def places_read() -> tuple[Place, ...]:
    """Every place of the example at which the checker reads a quantity."""
    seen: list[Place] = []

    class Watched(Quantities):
        def read(
            self, path: Any, raw: Any, kind: Kind, dimension: Any = None, constant: bool = False, local: Any = None
        ) -> float | None:
            if raw is not None:
                names = {_general(name): str(of) for name, of in (local or {}).items()}
                seen.append(Place(tuple(map(str, path)), kind, constant, names))
            return super().read(path, raw, kind, dimension, constant, local)

    import iontide.scenario.checks.check as check

    plain, check.Quantities = check.Quantities, Watched  # type: ignore[misc]
    try:
        for text in (EXAMPLE.read_text(encoding="utf-8"), _with_listed_times()):
            loads(text)
    finally:
        check.Quantities = plain  # type: ignore[misc]
    return tuple(seen)


def _with_listed_times() -> str:
    """The example with its other form of sample times."""
    head, _, _ = EXAMPLE.read_text(encoding="utf-8").rpartition("[recording]")
    return f'{head}[recording]\ntimes = ["1 s"]\n'


def _general(name: str) -> str:
    return ".".join(_STANDS_FOR.get(part, part) for part in name.split("."))


def group_of(place: Place) -> str:
    """Which of the groups of names a place has."""
    if place.is_constant:
        return "none"
    names = set(place.names)
    if not names:
        return "parameters"
    if "alpha" in names:
        return "gate"
    if "V" in names:
        return "channel" if "GATE" in names else "membrane"
    if "volume" in names:
        return "compartment"
    assert names == {"T", "t"}, place
    return "time"


#: The groups of names, what each is called, and what is in it.
GROUPS = {
    "none": ("constant", "A number with its unit; no name, no parameter."),
    "parameters": ("parameters", "Parameters. A parameter itself may use other parameters and `t`."),
    "time": ("parameters, T, t", "Parameters, and those of the table."),
    "compartment": ("compartment", "Parameters, and what is known in the compartment."),
    "membrane": ("membrane", "Parameters, and what is known on the membrane."),
    "channel": ("membrane and gates", "All names of a membrane, and the gates of the pathway itself without its name."),
    "gate": ("membrane and gates, alpha, beta", "The same, and the rates of the gate itself, where it has both."),
}

_MEANING = {
    "T": "temperature",
    "t": "time since the start of the run",
    "V": "membrane potential, inside minus outside",
    "area": "area of the membrane",
    "E.ION": "Nernst potential of an ion that both sides hold",
    "ION.inside": "concentration of a species inside",
    "ION.outside": "concentration of a species outside",
    "ION.inside.activity": "activity of a species inside",
    "ION.outside.activity": "activity of a species outside",
    "volume.inside": "volume inside, unless that is a bath",
    "volume.outside": "volume outside, unless that is a bath",
    "PATHWAY.GATE": "gate of another pathway of the membrane",
    "GATE": "gate of the pathway itself",
    "alpha": "opening rate of the gate itself",
    "beta": "closing rate of the gate itself",
    "ION": "concentration of a species in the compartment",
    "ION.activity": "activity of a species in the compartment",
    "volume": "volume of the compartment",
    "potential": "electric potential of the compartment",
}


def names_by_place() -> str:
    """For each group of places the names that a formula there may use, with dimension and meaning."""
    together: dict[str, dict[str, str]] = {}
    for place in places_read():
        together.setdefault(group_of(place), {}).update(place.names)
    parts = []
    for group, (title, text) in GROUPS.items():
        parts.append(f"### {title} {{ #names-{group} }}\n\n{text}\n")
        names = together[group]
        inherited = together["membrane"] if group in ("channel", "gate") else {}
        new = {name: unit for name, unit in names.items() if name not in inherited}
        if new:
            rows = [[code(name), unit, _MEANING[name]] for name, unit in sorted(new.items(), key=_order)]
            parts.append(table(["name", "SI unit", "meaning"], rows))
    return "\n".join(parts)


def _order(entry: tuple[str, str]) -> int:
    return list(_MEANING).index(entry[0])


def places() -> str:
    """Each key that takes a formula, with the group of names that its formula may use."""
    from scenario_keys import quantity_keys

    groups: dict[str, list[str]] = {}
    for key, group in quantity_keys().items():
        groups.setdefault(group, []).append(".".join(key))
    rows = [[f"[{GROUPS[group][0]}](#names-{group})", listed(groups[group])] for group in GROUPS if group in groups]
    return table(["a formula may use", "in the values of"], rows)


_FUNCTIONS = {
    "exp": ("exp(x)", "exponential; x a pure number"),
    "log": ("log(x)", "natural logarithm; x a pure number greater than 0"),
    "sqrt": ("sqrt(x)", "square root; the dimension is that of the root"),
    "tanh": ("tanh(x)", "hyperbolic tangent; x a pure number"),
    "abs": ("abs(x)", "absolute value"),
    "min": ("min(a, b, …)", "the least of two or more values of one dimension"),
    "max": ("max(a, b, …)", "the greatest of two or more values of one dimension"),
    "where": (
        "where(condition, a, b)",
        "a where the condition holds, b elsewhere; conditions: `<` `<=` `>` `>=` `==` `!=`",
    ),
    "linexp": ("linexp(x)", "x / (1 − exp(−x)), which is 1 at x = 0: the opening rate of a Hodgkin–Huxley gate"),
    "q10": ("q10(factor, reference)", "factor^((T − reference) / 10 K)"),
    "arrhenius": ("arrhenius(energy, reference)", "exp(energy / R · (1/reference − 1/T)); energy per mole"),
}


def functions() -> str:
    """The functions of the language; it is an error for one to be missing here."""
    assert set(_FUNCTIONS) == set(ARGUMENTS), set(_FUNCTIONS) ^ set(ARGUMENTS)
    assert set(ARGUMENTS) <= set(FLOAT_FUNCTIONS)
    return table(["function", "value"], [[code(written), meaning] for written, meaning in _FUNCTIONS.values()])
