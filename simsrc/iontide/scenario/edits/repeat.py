"""Compartments replicated by ``repeat``, together with whatever refers to them: the tables written out in full.

``[compartments.layer] repeat = 10`` stands for ``layer_1`` … ``layer_10``, and a membrane, reaction, exchange or
coupling that names ``layer`` is replicated as often. All this is done on the plain tables before they are checked:
the checks see a file in which every piece is written out.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, get_origin

from ...errors import listed
from ..schema import schema_lookup
from ..schema.quantity_kinds import show
from ..text.faults import Faults, no_such
from ..text.key_lines import KeyPath
from ..text.repeat_references import JOINING, MOST_PIECES, REFERENCES, SINGLE, TARGETS, Origins
from ..text.size import CAPS, MOST_KEYS

#: In a text of a repeated table: the number of the piece, from 1.
NUMBER = "{i}"

#: Most values that repetition may produce in all.
MOST_REPEATED = 100_000

#: Placeholder for a value that is not known.
_ABSENT = object()

#: The tables that repetition may concern, in the order in which they are processed.
REPEATABLE = ("compartments", *REFERENCES)


@dataclass(frozen=True)
class _Plan:
    """How one table is repeated: the endings of its pieces, and what differs between them.

    ``sides`` has for each place within the table the names that go there, piece by piece; ``origin`` is the
    key under which these are written, where that is not the place itself.
    """

    endings: tuple[str, ...]
    sides: dict[tuple[str | int, ...], list[str]]
    origin: str | None = None


def says_repeat(raw: dict[str, Any]) -> bool:
    """Whether anything in the tables of a file is repeated, or joined along a row of repeated compartments."""
    return _any_has(raw, "compartments", "repeat") or any(_any_has(raw, table, "along") for table in JOINING)


def expand(raw: dict[str, Any], faults: Faults) -> dict[str, Any] | None:
    """The tables of a file with all repetition written out.

    Parameters
    ----------
    raw : dict
        The file as tomllib reads it, with overrides; not changed.
    faults : Faults
        Receives the faults of the repetition, and where in the file the pieces come from.

    Returns
    -------
    dict or None
        The tables; ``raw`` itself where nothing is repeated; None where the pieces cannot be determined.
    """
    if not says_repeat(raw):
        return raw
    expansion = _Expansion(raw, faults)
    return expansion.tables() if expansion.plan() else None


class _Expansion:
    """The expansion of the tables of a file; call ``plan`` first, then ``tables``."""

    def __init__(self, raw: dict[str, Any], faults: Faults) -> None:
        self._raw = raw
        self._faults = faults
        self._origins = Origins()
        #: Of each table that is repeated; None for one that cannot be.
        self._plans: dict[str, dict[str, _Plan | None]] = {table: {} for table in REPEATABLE}

    def plan(self) -> bool:
        """Determine the pieces; returns whether they are known and not too many."""
        for name, entry in _tables(self._raw, "compartments").items():
            if "repeat" in entry:
                endings = self._endings(("compartments", name, "repeat"), entry["repeat"])
                self._plans["compartments"][name] = _Plan(endings, {}) if endings else None
        if None in self._plans["compartments"].values():
            return False
        for table in REFERENCES:
            for name, entry in _tables(self._raw, table).items():
                if table in JOINING and "along" in entry:
                    self._plans[table][name] = self._neighbours((table, name), entry)
                elif any(ref in self._plans["compartments"] for ref in _references(table, entry).values()):
                    self._plans[table][name] = self._paired((table, name), entry)
        return self._is_bounded()

    def tables(self) -> dict[str, Any]:
        """The tables written out."""
        self._tell_unclear()
        done = {table: self._table(table) for table in REPEATABLE if self._plans[table]}
        self._faults.trace(self._origins)
        return {key: done.get(key, value) for key, value in self._raw.items()}

    # --- what the pieces are ---

    def _endings(self, path: KeyPath, repeat: Any) -> tuple[str, ...]:
        """The endings of the names of the pieces; empty where they are faulty."""
        if isinstance(repeat, int) and not isinstance(repeat, bool):
            if 1 <= repeat <= MOST_PIECES:
                return tuple(str(number) for number in range(1, repeat + 1))
            self._faults.add(path, f"must be from 1 to {MOST_PIECES}, got {show(repeat)}")
            return ()
        if not isinstance(repeat, list) or not repeat:
            got = "an empty list" if repeat == [] else show(repeat)
            message = f'must be a number (as 10) or a list of names (as ["soma", "proximal", "distal"]), got {got}'
            self._faults.add(path, message)
            return ()
        if len(repeat) > MOST_PIECES:
            self._faults.add(path, f"must name at most {MOST_PIECES} pieces, got {len(repeat)}")
            return ()
        faulty = False
        for index, ending in enumerate(repeat):
            if not isinstance(ending, str) or not re.fullmatch("[A-Za-z0-9_]+", ending):
                message = f"a piece is named in quotes by letters, digits or _, got {show(ending)}"
            elif ending in repeat[:index]:
                message = f"{ending} is named twice; every piece needs a different name"
            else:
                continue
            faulty = True
            self._faults.add((*path, index), message)
        return () if faulty else tuple(repeat)

    def _paired(self, path: KeyPath, entry: dict[str, Any]) -> _Plan | None:
        """A table that names something repeated: once for each piece, with the other side's piece or all of it."""
        named = _references(str(path[0]), entry)
        repeated = {place: ref for place, ref in named.items() if ref in self._plans["compartments"]}
        (first, *others) = repeated
        endings = self._pieces("compartments", repeated[first])
        for other in others:
            if repeated[other] == repeated[first]:
                message = f"joins each piece of {repeated[first]} with itself"
                if path[0] in JOINING:
                    message += f'; to join neighbours write along = "{repeated[first]}" instead of both sides'
                self._refuse((*path, *other), message)
                return None
            if self._pieces("compartments", repeated[other]) != endings:
                counts = " and ".join(self._counted(repeated[place]) for place in (first, other))
                self._refuse((*path, *other), f"both sides must have the same pieces, but {counts}")
                return None
        return _Plan(endings, {place: [f"{ref}_{end}" for end in endings] for place, ref in repeated.items()})

    def _neighbours(self, path: KeyPath, entry: dict[str, Any]) -> _Plan | None:
        """A table that joins each piece of a repeated compartment with the next."""
        along, keys = entry["along"], REFERENCES[str(path[0])]
        place, every = (*path, "along"), _tables(self._raw, "compartments")
        besides = next((key for key in keys if key in entry), None)
        if besides is not None:
            self._refuse((*path, besides), f"along replaces {' and '.join(keys)}; write one or the other")
            return None
        if not isinstance(along, str):
            self._refuse(place, f"must be the name of a compartment that is repeated, got {show(along)}")
            return None
        if along not in self._plans["compartments"]:
            whole = next(
                (name for name in self._plans["compartments"] if along in self._names("compartments", name)), ""
            )
            if along in every:
                message = (
                    f"{along} is not repeated, so it has no neighbours to join (repeat = 10 would give it ten pieces)"
                )
            elif whole:
                message = f'{along} is one piece of {whole}; write along = "{whole}"'
            else:
                message = no_such("compartment", along, every)
            self._refuse(place, message)
            return None
        pieces = self._names("compartments", along)
        sides: list[tuple[str | int, ...]] = (
            [(key,) for key in keys] if len(keys) == 2 else [(keys[0], 0), (keys[0], 1)]
        )
        endings = self._pieces("compartments", along)[:-1]
        return _Plan(endings, {sides[0]: pieces[:-1], sides[1]: pieces[1:]}, "along")

    def _refuse(self, path: KeyPath, message: str) -> None:
        """Report a fault, and leave its table out."""
        self._faults.add(path, message)
        self._faults.mark(path[:2])

    def _pieces(self, table: str, name: str) -> tuple[str, ...]:
        plan = self._plans[table].get(name)
        return plan.endings if plan else ()

    def _names(self, table: str, name: str) -> list[str]:
        return [f"{name}_{ending}" for ending in self._pieces(table, name)]

    def _counted(self, name: str) -> str:
        endings = self._pieces("compartments", name)
        return f"{name} has {len(endings)} ({listed(endings, most=4)})"

    def _is_bounded(self) -> bool:
        """Whether the tables written out are of a size that can be checked and simulated."""
        fits, values = True, 0
        for table in REPEATABLE:
            every = self._raw.get(table)
            count = len(every) if isinstance(every, dict) else 0
            for name in self._plans[table]:
                pieces = len(self._pieces(table, name))
                count += pieces - 1
                values += pieces * _size(self._raw[table][name])
            most = CAPS.get(table, MOST_KEYS)
            if count > most:
                fits = False
                self._faults.add((table,), f"at most {most} of these in one scenario, got {count} with all pieces")
        if fits and values > MOST_REPEATED:
            fits = False
            message = f"with all pieces written out there are {values} values; at most {MOST_REPEATED} can be repeated"
            self._faults.add(("compartments",), message)
        return fits

    # --- where one piece is meant ---

    def _tell_unclear(self) -> None:
        """Report where a repeated compartment is named although one piece is needed."""
        for table, below in SINGLE.items():
            entries = self._raw.get(table)
            every = enumerate(entries) if isinstance(entries, list) else _tables(self._raw, table).items()
            for key, entry in every:
                for inner, what in below.items():
                    self._check_single((table, key, *inner), what, _dig(entry, inner))
                for word in TARGETS if table in ("protocol", "events") else ():
                    for target in _dig(entry, (word,)) if isinstance(_dig(entry, (word,)), dict) else ():
                        parts = target.split(".")
                        if len(parts) > 2 and parts[0] in REPEATABLE:
                            self._check_single((table, key, word, target), parts[0], parts[1])

    def _check_single(self, path: KeyPath, table: str, name: Any) -> None:
        if isinstance(name, str) and self._plans[table].get(name):
            names = self._names(table, name)
            message = f"name one of its pieces, {names[0]} … {names[-1]}" if names else "but joins nothing"
            self._faults.add(path, f"{name} is repeated: {message}")

    # --- writing them out ---

    def _table(self, table: str) -> dict[str, Any]:
        """The entries of one table, with pieces instead of what is repeated."""
        made = {piece: name for name in self._plans[table] for piece in self._names(table, name)}
        done: dict[str, Any] = {}
        for name, entry in self._raw[table].items():
            if name not in self._plans[table]:
                if name in made:
                    message = f"{made[name]}, which is repeated, has a piece of this name already; choose another name"
                    self._faults.add((table, name), message, spoils=False)
                else:
                    done[name] = entry
                continue
            plan = self._plans[table][name]
            for index, piece in enumerate(self._names(table, name)):
                if piece in done:
                    message = f"its piece {piece} has the name of another piece; choose another name"
                    self._faults.add((table, name), message, spoils=False)
                else:
                    assert plan is not None
                    done[piece] = self._piece(table, name, piece, plan, index)
        return done

    def _piece(self, table: str, name: str, piece: str, plan: _Plan, index: int) -> dict[str, Any]:
        written, here = (table, name), (table, piece)
        self._origins.places[here] = written
        self._origins.pieces.setdefault(written, []).append(piece)
        left_out = {"repeat"} if table == "compartments" else {plan.origin}
        entry = {key: value for key, value in self._raw[table][name].items() if key not in left_out}
        copied: dict[str, Any] = self._copied(written, here, entry, index, len(plan.endings))
        for place, names in plan.sides.items():
            if plan.origin is not None:
                self._origins.places |= {(*here, *place[:n]): (*written, plan.origin) for n in range(1, len(place) + 1)}
            if len(place) == 1:
                copied[str(place[0])] = names[index]
            else:
                copied.setdefault(str(place[0]), [None, None])[place[1]] = names[index]
        return copied

    def _copied(self, written: KeyPath, here: KeyPath, value: Any, index: int, count: int) -> Any:
        """The value in one piece; `_ABSENT` where it is not known."""
        if isinstance(value, dict):
            inner = {k: self._copied((*written, k), (*here, k), v, index, count) for k, v in value.items()}
            return {key: v for key, v in inner.items() if v is not _ABSENT}
        if isinstance(value, list) and not _takes_list(written):
            if len(value) != count:
                message = f"must be one value, or one for each of {count} pieces; this is a list of {len(value)}"
                self._faults.add(written, message)
                self._faults.mark(here)
                return _ABSENT
            self._origins.places[here] = (*written, index)
            value = value[index]
        elif isinstance(value, str) and NUMBER in value:
            self._origins.numbered.add(written)
        return value.replace(NUMBER, str(index + 1)) if isinstance(value, str) else deepcopy(value)


def _tables(raw: dict[str, Any], table: str) -> dict[str, dict[str, Any]]:
    """The entries of a table that are tables themselves."""
    every = raw.get(table)
    return {name: entry for name, entry in every.items() if isinstance(entry, dict)} if isinstance(every, dict) else {}


def _any_has(raw: dict[str, Any], table: str, key: str) -> bool:
    return any(key in entry for entry in _tables(raw, table).values())


def _references(table: str, entry: dict[str, Any]) -> dict[tuple[str | int, ...], str]:
    """The compartments that a table names, by the place where."""
    names: dict[tuple[str | int, ...], str] = {}
    for key in REFERENCES[table]:
        value = entry.get(key)
        if isinstance(value, str):
            names[key,] = value
        elif isinstance(value, list):
            names |= {(key, index): name for index, name in enumerate(value) if isinstance(name, str)}
    return names


def _takes_list(path: KeyPath) -> bool:
    """Whether the value at a path is a list even without repetition (or no value is allowed there)."""
    annotation = schema_lookup.at(path)
    return annotation is None or any(get_origin(choice) is list for choice in schema_lookup.alternatives(annotation))


def _dig(entry: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        entry = entry.get(key) if isinstance(entry, dict) else None
    return entry


def _size(value: Any) -> int:
    """How many values a table holds, those of the tables in it included."""
    if isinstance(value, dict):
        return sum(1 + _size(inner) for inner in value.values())
    return sum(map(_size, value)) if isinstance(value, list) else 1
