"""On which line of a TOML document each key is written.

``tomllib`` gives lines for its own errors only. A fault that is found later, a wrong unit or an unknown ion,
must name its line too, so this module scans the text a second time and notes the line of every key and every array
element. It validates nothing: what ``tomllib`` accepts is mapped; for other text the result is a map or
a ValueError. A property test holds its paths against those of ``tomllib``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence

KeyPath = tuple[str | int, ...]

#: Deepest nesting of tables and arrays. Real scenarios use about six levels.
MAX_DEPTH = 100

_BLANKS = re.compile(r"[ \t]*")
_BETWEEN = re.compile(r"[ \t\r\n,]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# Numbers, dates, booleans: all up to a delimiter. Times may contain a blank, so blanks are included.
_SCALAR = re.compile(r"[^,\[\]{}#\n\"'=]+")
_STRING_END = {
    '"': re.compile(r"\\.|\"", re.DOTALL),
    # Up to two quotes directly before the closing three are part of the text.
    '"""': re.compile(r"\\.|\"{3,5}", re.DOTALL),
    "'": re.compile(r"'"),
    "'''": re.compile(r"'{3,5}"),
}


def key_lines(text: str) -> dict[KeyPath, int]:
    """Map every key path of a TOML document to the line where it is written.

    Parameters
    ----------
    text : str
        A document that ``tomllib`` accepts; line ends LF or CRLF.

    Returns
    -------
    dict of tuple to int
        Path of keys (str) and array indices (int) to a line, from 1. Every table, value and array element of
        the document has its path here. A table has the line of its own header, or else that of the first
        header or dotted key that contains it; an array of tables that of its first header; an element
        that of its header or its first character.

    Raises
    ------
    ValueError
        Tables and arrays are nested more than `MAX_DEPTH` deep, or the text is not TOML (not all such text is noticed).
    """
    return _Scanner(text).scan()


def line_of(lines: Mapping[KeyPath, int], path: Sequence[str | int]) -> int:
    """The line of `path`, or of the deepest part of it that is written in the document; 0 if none is.

    Parameters
    ----------
    lines : mapping of tuple to int
        From `key_lines`.
    path : sequence of str or int
        Keys and array indices from the top of the document.
    """
    for length in range(len(path), 0, -1):
        line = lines.get(tuple(path[:length]))
        if line is not None:
            return line
    return 0


class _Scanner:
    """A cursor over the text (`position`, `line`) and the map so far; the cursor only moves forward."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.line = 1
        self.lines: dict[KeyPath, int] = {}
        #: Number of elements of each array of tables so far.
        self.elements: dict[KeyPath, int] = {}

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self._skip_between():
            if self._peek() == "[":
                table = self._header()
            else:
                path = self._key(table)
                self._expect("=")
                self._value(path)
        return self.lines

    # --- keys ---

    def _header(self) -> KeyPath:
        """Read ``[a.b]`` or ``[[a.b]]``; return the path of the table that it opens."""
        brackets = "[[" if self.text.startswith("[[", self.position) else "["
        self.position += len(brackets)
        parts = self._key_parts()
        self._expect("]" * len(brackets))
        path: KeyPath = ()
        for part in parts[:-1]:
            path = self._note((*path, part))
            if path in self.elements:  # a header refers to the latest element of an array of tables
                path = (*path, self.elements[path] - 1)
        path = self._note((*path, parts[-1]))
        if brackets == "[":
            self.lines[path] = self.line  # its own header takes precedence over an earlier [path.child]
        else:
            index = self.elements.get(path, 0)
            self.elements[path] = index + 1
            path = self._note((*path, index))
        self._check_depth(path)
        return path

    def _key(self, table: KeyPath) -> KeyPath:
        """Read a key, dotted or not, within `table`; return its path."""
        path = table
        for part in self._key_parts():
            self._check_depth(path)
            path = self._note((*path, part))
        return path

    def _key_parts(self) -> list[str]:
        parts = [self._simple_key()]
        while self._peek() == ".":
            self.position += 1
            parts.append(self._simple_key())
            if len(parts) > MAX_DEPTH + 1:
                self._check_depth(tuple(parts))
        return parts

    def _simple_key(self) -> str:
        """Read one bare or quoted key and the blanks around it."""
        self._skip_blanks()
        start = self.position
        if self._peek() in ('"', "'"):
            self._string()
            quoted = self.text[start : self.position]
            # tomllib itself resolves the escapes, so that both always agree on the name.
            key = str(tomllib.loads(f"k={quoted}")["k"]) if "\\" in quoted else quoted[1:-1]
        else:
            match = _BARE_KEY.match(self.text, start)
            if match is None:
                raise self._not_toml("a key is missing")
            key = match.group()
            self.position = match.end()
        self._skip_blanks()
        return key

    # --- values ---

    def _value(self, path: KeyPath) -> None:
        """Pass over the value of `path`, noting what is in arrays and inline tables.

        Open brackets are stored in lists instead of on Python's stack.
        """
        containers: list[tuple[str, KeyPath]] = []  # the bracket that will close it, its path
        counts: list[int] = []  # its elements so far
        self._skip_blanks()
        while True:
            opening = self._peek()
            if opening in ("[", "{"):
                self._check_depth(path)
                self.position += 1
                containers.append(("]" if opening == "[" else "}", path))
                counts.append(0)
            elif opening in ('"', "'"):
                self._string()
            else:
                match = _SCALAR.match(self.text, self.position)
                if match is None:
                    raise self._not_toml("a value is missing")
                self.position = match.end()
            while containers and self._skip_between() and self._peek() == containers[-1][0]:
                self.position += 1
                containers.pop()
                counts.pop()
            if not containers:
                return
            closing, parent = containers[-1]
            if closing == "]":
                path = self._note((*parent, counts[-1]))
                counts[-1] += 1
            else:
                path = self._key(parent)
                self._expect("=")
                self._skip_blanks()

    def _string(self) -> None:
        """Pass over a string of any of the four kinds."""
        quote = self.text[self.position]
        if self.text.startswith(3 * quote, self.position):
            quote *= 3
        start = self.position + len(quote)
        for match in _STRING_END[quote].finditer(self.text, start):
            if not match.group().startswith("\\"):
                self.line += self.text.count("\n", start, match.end())
                self.position = match.end()
                return
        raise self._not_toml("a string is not closed")

    # --- the cursor ---

    def _peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def _skip_blanks(self) -> None:
        match = _BLANKS.match(self.text, self.position)
        assert match is not None
        self.position = match.end()

    def _skip_between(self) -> bool:
        """Pass over blanks, commas, line ends and comments; return whether any text is left."""
        while True:
            match = _BETWEEN.match(self.text, self.position)
            assert match is not None
            self.line += self.text.count("\n", self.position, match.end())
            self.position = match.end()
            if self._peek() != "#":
                return self.position < len(self.text)
            end = self.text.find("\n", self.position)
            self.position = end if end >= 0 else len(self.text)

    def _expect(self, token: str) -> None:
        if not self.text.startswith(token, self.position):
            raise self._not_toml(f"'{token}' is missing")
        self.position += len(token)

    def _note(self, path: KeyPath) -> KeyPath:
        """Note the current line for `path` unless it has one; return `path`."""
        self.lines.setdefault(path, self.line)
        return path

    def _check_depth(self, container: KeyPath) -> None:
        if len(container) > MAX_DEPTH:
            raise ValueError(
                f"Line {self.line}: tables and arrays are nested more than {MAX_DEPTH} deep; "
                f"at most {MAX_DEPTH} is allowed."
            )

    def _not_toml(self, what: str) -> ValueError:
        return ValueError(f"Line {self.line}: this is not TOML: {what}.")
