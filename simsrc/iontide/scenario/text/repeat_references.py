"""Which tables refer to which, and where in the file the tables made by ``repeat`` are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from ...errors import Fault
from .key_lines import KeyPath

#: Most pieces of a repeated table.
MOST_PIECES = 200

#: Fields of the schema for ``repeat`` and ``along``; both are resolved before the schema is applied.
Repeat = Annotated[
    Annotated[int, Field(ge=1, le=MOST_PIECES)]
    | Annotated[list[Annotated[str, Field(pattern="^[A-Za-z0-9_]+$")]], Field(min_length=1, max_length=MOST_PIECES)]
    | None,
    Field(
        description="Number of pieces, NAME_1 and so on, or a list of their names; what refers to it is repeated "
        "with it, and a value may be a list with one for each piece, or contain {i}, the number of the piece"
    ),
]
Along = Annotated[
    str | None,
    Field(
        description="Name of a repeated compartment of which each piece is joined to the next, instead of the two sides"
    ),
]

#: Keys by which the tables of the file name compartments, as text or in a list.
REFERENCES: Mapping[str, tuple[str, ...]] = {
    "membranes": ("inside", "outside"),
    "diffusion": ("between",),
    "reactions": ("in",),
    "exchange": ("between",),
    "sources": ("into",),
}

#: Tables that can join neighbours by ``along``, which replaces the keys above.
JOINING = ("membranes", "diffusion")

#: Keys of other tables by which one compartment or one membrane is named: the place in an entry, and what it names.
SINGLE: Mapping[str, Mapping[tuple[str, ...], str]] = {
    "protocol": {
        ("inject", "into"): "compartments",
        ("inject", "out_of"): "compartments",
        ("clamp", "compartment"): "compartments",
        ("clamp", "membrane"): "membranes",
    },
    "events": {("compartment",): "compartments", ("membrane",): "membranes"},
    "electrodes": {("on",): "membranes", ("in",): "compartments", ("reference", "in"): "compartments"},
}

#: Tables of a protocol entry whose keys are dotted paths.
TARGETS = ("set", "ramp", "table")


@dataclass
class Origins:
    """Where in the file each repeated table is written.

    Attributes
    ----------
    places : dict of tuple to tuple
        Path of a table, or of a value that was one of a list, to the path where it is written.
    pieces : dict of tuple to list of str
        Names of the tables made of a written one.
    numbered : set of tuple
        Written texts that contain the number of the piece, and so differ from piece to piece.
    """

    places: dict[KeyPath, KeyPath] = field(default_factory=dict)
    pieces: dict[KeyPath, list[str]] = field(default_factory=dict)
    numbered: set[KeyPath] = field(default_factory=set)

    def written(self, path: KeyPath) -> KeyPath:
        """The path in the file of what is at a path after repetition."""
        for length in range(len(path), 1, -1):
            origin = self.places.get(path[:length])
            if origin is not None:
                return (*origin, *path[length:])
        return path

    def once(self, faults: Iterable[tuple[KeyPath, Fault]]) -> Iterator[Fault]:
        """The faults; one that all pieces of a table have in common is reported once, at the path as written."""
        if not self.pieces:
            yield from (fault for _, fault in faults)
            return
        groups: dict[KeyPath, list[tuple[KeyPath, Fault]]] = {}
        for path, fault in faults:
            groups.setdefault(self.written(path), []).append((path, fault))
        names = {piece: str(place[-1]) for place, pieces in self.pieces.items() for piece in pieces}
        for written, members in groups.items():
            problem = {(fault.line, _plain(fault.message, names)) for _, fault in members}
            is_common = {path[1] for path, _ in members if len(path) > 1} == set(self.pieces.get(written[:2], ()))
            if is_common and (len(problem) == 1 or written in self.numbered):
                line, message = _plain_first(members, names)
                yield Fault(line, ".".join(map(str, written)), message)
            else:
                yield from (fault for _, fault in members)


def _plain_first(members: list[tuple[KeyPath, Fault]], names: Mapping[str, str]) -> tuple[int, str]:
    first = members[0][1]
    return first.line, _plain(first.message, names)


def _plain(message: str, names: Mapping[str, str]) -> str:
    """A message with the names of pieces as they are written in the file, and lists of them shortened to one."""
    message = re.sub(r"\w+", lambda word: names.get(word[0], word[0]), message)
    every = set(names.values())
    return re.sub(r"\b(\w+)(?:, \1\b)+", lambda run: run[1] if run[1] in every else run[0], message)
