"""A scenario file read, checked and resolved: ``load`` and ``loads``."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import Fault, FileError, ScenarioError, suggestion
from ..formulas.display import size_text
from ..model.model import Model
from .build import build_model
from .checks.check import check
from .checks.context.quantities import declared_dimensions
from .edits.overrides import apply_overrides
from .edits.repeat import expand
from .schema.document import Document
from .schema.validate import check_structure
from .text.faults import Faults
from .text.key_lines import KeyPath, key_lines
from .text.size import check_size

#: Largest file that is read, bytes.
MAX_SIZE = 1_000_000

#: Messages of tomllib (patterns), each with a sentence for people who do not write parsers.
_TOML_MESSAGES = (
    (r"Cannot overwrite a value", "this key is given a second time"),
    (r"Cannot declare \((.*?),?\) twice", r"the table \1 is opened a second time"),
    (r"Cannot (?:mutate immutable namespace|redefine namespace) .*", "this table cannot be added to here"),
    (r"Unbalanced quotes|Unterminated string", "a quotation mark is missing"),
    (r"Expected newline or end of document after a statement", "there is more text after the value"),
    (r"Expected '=' after a key in a key/value pair", "an = is missing after the key"),
    (r"Invalid value", "this is not a value of TOML; write a quantity or a name in quotes"),
    (r"Invalid statement", "neither a key nor a table begins like this"),
    (r"Illegal character '\\n'", "a quotation mark is missing before the end of the line"),
    (r"Illegal character (.*)", r"the character \1 is not allowed here; a quotation mark may be missing"),
    (r"Unclosed array", "a ] is missing"),
    (r"Unclosed inline table", "a } is missing; a table in braces must be on one line"),
)


@dataclass(frozen=True)
class Scenario:
    """A scenario without a fault.

    Attributes
    ----------
    source : str
        Name of the file as given.
    text : str
        The file, unchanged.
    overrides : mapping of str to value
        Values set instead of those of the file, by dotted path.
    document : Document
        The file with its overrides, units still as written.
    model : Model
        The model that it describes, in SI.
    faults : Faults
        Has the lines of the file; empty.
    """

    source: str
    text: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    document: Document = field(kw_only=True)
    model: Model = field(kw_only=True)
    faults: Faults = field(kw_only=True, repr=False, compare=False)

    @contextmanager
    def locating(self) -> Iterator[None]:
        """Within the block, report faults of the model as faults of this file, with their lines."""
        try:
            yield
        except ScenarioError as error:
            if error.source == self.source:
                raise
            for fault in error.faults:
                self.faults.add(tuple(fault.path.split(".")), fault.message)
            raise ScenarioError(self.source, self.faults.found) from None


def load(path: str | os.PathLike[str], set: Mapping[str, Any] | None = None) -> Scenario:
    """Read a scenario file.

    Parameters
    ----------
    path : path-like
    set : mapping of str to value, optional
        Other values by dotted path, written as in the file: ``{"parameters.pump_rate": "0 mol/m^2/s"}``.

    Raises
    ------
    FileError
        No such file, or it cannot be read.
    ScenarioError
        With all faults of the file.
    UsageError
        A path in ``set`` does not exist.

    Examples
    --------
    >>> scenario = iontide.load("scenarios/cells_and_tissues/pump_leak_cell.toml", set={"parameters.P_K": "2e-8 m/s"})
    >>> list(scenario.model.compartments)
    ['cell', 'bath']
    """
    source = os.fspath(path)
    return loads(read_text(source), source, set)


def read_text(source: str) -> str:
    """The text of a scenario file or a plan file.

    Raises
    ------
    FileError
        No such file, or it cannot be read.
    ScenarioError
        It is too large, or not UTF-8.
    """
    try:
        with Path(source).open("rb") as file:
            raw = file.read(MAX_SIZE + 1)
    except FileNotFoundError:
        meant = f"{source}.toml"
        hint = suggestion([meant]) if Path(meant).exists() else "."
        raise FileError(f"{source}: there is no such file{hint}") from None
    except IsADirectoryError:
        raise FileError(f"{source} is a directory; name a scenario file in it.") from None
    except PermissionError:
        raise FileError(f"{source}: reading this file is not permitted.") from None
    except (OSError, ValueError) as error:
        raise FileError(f"{source} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if len(raw) > MAX_SIZE:
        raise _whole(source, f"the file is larger than {size_text(MAX_SIZE)}, the limit for a scenario")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"the file is not UTF-8 text: byte 0x{raw[error.start]:02x} is not valid; save it as UTF-8"
        raise _whole(source, message, line) from None


def loads(text: str, source: str = "<text>", set: Mapping[str, Any] | None = None) -> Scenario:
    """Read a scenario from text; ``source`` is what messages call it. See `load`.

    Examples
    --------
    >>> from pathlib import Path
    >>> text = Path("scenarios/first_principles/nernst_potassium.toml").read_text(encoding="utf-8")
    >>> iontide.loads(text, set={"simulation.duration": "1 s"}).model.simulation.duration
    1.0
    """
    written, lines = read_tables(text, source)
    raw, applied, of_pieces = apply_overrides(written, set)
    faults = Faults(lines, applied)
    expanded = expand(raw, faults) if check_size(raw, faults) else None
    if expanded is None or (of_pieces and faults.found):
        raise ScenarioError(source, faults.found)
    raw, more, _ = apply_overrides(expanded, of_pieces)
    faults.override(more)
    document = check_structure(raw, faults)
    draft = check(document, faults, declared_dimensions(written) if set else None)
    if faults.found:
        raise ScenarioError(source, faults.found)
    return Scenario(source, text, dict(set or {}), document=document, model=build_model(draft), faults=faults)


def read_tables(text: str, source: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """The tables of a text, and the line of each key.

    Raises
    ------
    ScenarioError
        It is not TOML, too large, or nested too deep.
    """
    if len(text) > MAX_SIZE:
        raise _whole(source, f"the text is larger than {size_text(MAX_SIZE)}, the limit for a scenario")
    body = text.removeprefix("\ufeff")
    try:
        written = tomllib.loads(body)
    except RecursionError:
        raise _whole(source, "tables or lists are nested too deep") from None
    except ValueError as error:
        line, message = _syntax(body, str(error))
        raise _whole(source, message, line) from None
    try:
        return written, key_lines(body)
    except ValueError as error:
        place, _, message = str(error).partition(": ")
        raise _whole(source, message, int(place.removeprefix("Line "))) from None


def _whole(source: str, message: str, line: int = 0) -> ScenarioError:
    """A fault of the file as a whole."""
    return ScenarioError(source, [Fault(line, "", message)])


def _syntax(text: str, message: str) -> tuple[int, str]:
    """Line and message of an error of tomllib."""
    place = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    sentence = message[: place.start()] if place else message
    for pattern, better in _TOML_MESSAGES:
        if re.fullmatch(pattern, sentence):
            sentence = re.sub(pattern, better, sentence).replace("'", "").replace(", ", ".")
            break
    else:
        sentence = sentence[:1].lower() + sentence[1:]
    if place and place[1]:
        return int(place[1]), f"not TOML at column {place[2]}: {sentence}"
    last = len(text.rstrip().splitlines()) or 1
    return last, f"not TOML at the end of the file: {sentence}"
