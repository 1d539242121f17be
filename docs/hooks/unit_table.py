"""The units of the scenario language, from the table by which they are read."""

from __future__ import annotations

from iontide.formulas import units as source
from markdown_tables import listed, table

_NAMES = {
    "G": "giga", "M": "mega", "k": "kilo", "d": "deci", "c": "centi", "m": "milli",
    "u": "micro", "n": "nano", "p": "pico", "f": "femto", "a": "atto",
}  # fmt: skip


def units() -> str:
    """Every unit: the prefixes it takes, its size in SI, its dimension."""
    spellings: dict[tuple[str, str, str], list[str]] = {}
    for name, taken, size, dimension in source._TABLE:
        spellings.setdefault((taken, size, str(dimension)), []).append(name)
    rows = []
    for (taken, size, dimension), names in spellings.items():
        # A unit that is one of several of equal size (Hz and S, say) has a line of its own.
        groups = (
            [names]
            if len({name[0] for name in names}) == 1 or not all(map(str.isascii, names))
            else [[n] for n in names]
        )
        for group in groups:
            prefixed = [prefix + name for name in group for prefix in taken]
            rows.append([listed(group), listed(prefixed), size, dimension])
    rows.append([listed(source._CELSIUS), "", "T/K = t + 273.15", "K"])
    return table(["unit", "with prefixes", "in SI", "SI unit"], rows)


def prefixes() -> str:
    """The prefixes with their powers of ten."""
    signs = {"u": [*"u", *source._MICRO_SIGNS[:1]]}
    rows = [
        [
            listed(signs.get(prefix, [prefix])),
            _NAMES[prefix],
            f"10^{power}^".replace("10^", "10<sup>").replace("^", "</sup>"),
        ]
        for prefix, power in source._PREFIXES.items()
    ]
    return table(["prefix", "name", "factor"], rows)
