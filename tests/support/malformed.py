"""Scenarios with a fault: base scenarios, changed line by line, as tests/malformed/README.md describes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .paths import TESTS

FOLDER = TESTS / "malformed"

#: The texts of the valid scenarios that cases change, by name.
BASES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.toml"))}


@dataclass
class Case:
    """A scenario with a fault.

    Attributes
    ----------
    name : str
    base : str
        The scenario that is changed; ``nothing`` is an empty one.
    changes : list of list of str
        Lines with their signs, a list for each place.
    expected : list of str
        All messages, without the file's name.
    """

    name: str
    base: str
    changes: list[list[str]] = field(default_factory=lambda: [[]])
    expected: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The base with its changes made."""
        base = [] if self.base == "nothing" else BASES[self.base].splitlines()
        before: dict[int, list[str]] = {}
        removed = set()
        for change in self.changes:
            place = self._place(base, [line[1:] for line in change if line[0] in " -"])
            for line in change:
                if line[0] == "+":
                    before.setdefault(place, []).append(line[1:])
                    continue
                if line[0] == "-":
                    removed.add(place)
                place += 1
        lines = []
        for i in range(len(base) + 1):
            lines += before.get(i, [])
            lines += [line for line in base[i : i + 1] if i not in removed]
        return "\n".join(lines) + "\n"

    def _place(self, base: Sequence[str], old: Sequence[str]) -> int:
        """Where these lines are in the base: the index of the first; its end if there are none."""
        if not old:
            return len(base)
        places = [i for i in range(len(base)) if base[i : i + len(old)] == old]
        if len(places) != 1:
            raise ValueError(f"{self.name}: these lines occur {len(places)} times in {self.base}, not once: {old}")
        return places[0]


def cases() -> dict[str, Case]:
    """Every case of every file, by name."""
    named: dict[str, Case] = {}
    for path in sorted(FOLDER.glob("*.cases")):
        for case in _cases_of(path):
            if case.name in named:
                raise ValueError(f"{path}: there are two cases {case.name}")
            named[case.name] = case
    return named


def _cases_of(path: Path) -> Iterator[Case]:
    case = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if heading := re.fullmatch(r"=== (\w+): (\w+)", line):
            if case is not None:
                yield case
            case = Case(heading[1], heading[2])
        elif case is None:
            raise ValueError(f"{path}:{number}: a case begins with === NAME: BASE, got {line!r}")
        elif line == "@@":
            case.changes.append([])
        elif line[0] in " -+":
            case.changes[-1].append(line)
        elif line.startswith("! "):
            case.expected.append(line[2:])
        else:
            raise ValueError(f"{path}:{number}: a line begins with a space, - + or !, got {line!r}")
    if case is not None:
        yield case
