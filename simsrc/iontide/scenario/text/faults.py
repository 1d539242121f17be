"""The faults found so far, and the places of the file that are not checked further because of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...errors import Fault, did_you_mean, listed
from .key_lines import KeyPath, line_of
from .repeat_references import Origins


class Faults:
    """Collects faults with their lines.

    A place at which a fault was found is *faulty*, and so is all below it: what depends on it cannot be
    checked and is skipped, so that one mistake is reported once.

    Parameters
    ----------
    lines : mapping of tuple to int
        Line of each key path, from ``key_lines``.
    overridden : iterable of tuple
        Paths whose values were not in the file but given with ``--set``.
    """

    def __init__(self, lines: Mapping[KeyPath, int], overridden: Iterable[KeyPath] = ()) -> None:
        self._lines = lines
        self._overridden = set(overridden)
        self._origins = Origins()
        self._found: dict[tuple[int, str], tuple[KeyPath, Fault]] = {}
        self._faulty: set[KeyPath] = set()

    @property
    def found(self) -> list[Fault]:
        """All faults, in the order of the file; one that all pieces of a repeated table share is one."""
        return sorted(self._origins.once(self._found.values()))

    def trace(self, origins: Origins) -> None:
        """From here on paths are those after repetition; ``origins`` gives the lines that they come from."""
        self._origins = origins

    def override(self, paths: Iterable[KeyPath]) -> None:
        """Treat more paths as given with ``--set``."""
        self._overridden.update(paths)

    def add(self, path: KeyPath, message: str, spoils: bool = True) -> None:
        """Add a fault. Of several at one place only the first counts.

        Parameters
        ----------
        path : tuple
        message : str
        spoils : bool
            Whether its place becomes faulty; False for things that do not go together although each is valid.
        """
        if spoils:
            self.mark(path)
        written = self._origins.written(path)
        line = line_of(self._lines, written)
        if any(p[:length] in self._overridden for p in (path, written) for length in range(1, len(p) + 1)):
            line, message = 0, f"{message} (given with --set)"
        fault = Fault(line, ".".join(map(str, path)), message)
        self._found.setdefault((line, fault.path), (path, fault))

    def mark(self, path: KeyPath) -> None:
        """Mark a place as faulty without a fault of its own: it depends on one that has been reported."""
        self._faulty.add(path)

    def is_faulty(self, *path: str | int) -> bool:
        """Whether a fault was found at this path or above it."""
        return any(path[:length] in self._faulty for length in range(1, len(path) + 1))

    def faulty_below(self, *path: str | int) -> set[str | int]:
        """Keys directly below this path that are faulty as a whole."""
        return {faulty[-1] for faulty in self._faulty if len(faulty) == len(path) + 1 and faulty[:-1] == path}

    def is_faulty_within(self, *path: str | int) -> bool:
        """Whether a fault was found at this path, above it, or anywhere below it."""
        return self.is_faulty(*path) or any(faulty[: len(path)] == path for faulty in self._faulty)


def no_such(noun: str, name: str, existing: Iterable[str]) -> str:
    """The message about a name that the file uses for a ``noun`` but does not define."""
    names = list(existing)
    return f"no such {noun} as {name}{did_you_mean(name, names)} ({noun}s are {listed(names)})"
