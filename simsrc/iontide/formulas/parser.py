"""The parser of formulas: from text to an immutable tree, or to an error that quotes the place.

Grammar, from loosest to tightest (``^`` is ``**`` and groups to the right, all else to the left)::

    comparison := sum [ ("<" | "<=" | ">" | ">=" | "==" | "!=") sum ]      only as the condition of where
    sum        := product { ("+" | "-") product }
    product    := signed { ("*" | "/") signed }
    signed     := ("-" | "+") signed | power
    power      := operand [ ("^" | "**") signed ]
    operand    := number [unit] | name | function "(" comparison { "," comparison } ")" | "(" comparison ")"

A unit binds to the number before it more tightly than any operator. It opens with a name of the table in
`units` (``25 mM``), or with a slash after a space and before such a name (``600 /mM/s``), and goes on with
whole powers (``cm^2``), with a slash that has no space on either side (``mS/cm^2``), with ``·``, or with one
space before a power (``mol m^-2 s^-1``). Every other slash divides: ``1 mM / m``, ``2/K_o`` divide by names.

``37 degC`` is the temperature 310.15 K, also inside a formula: ``(T - 37 degC) / 10 K`` is a difference.

``q10(factor, reference)`` and ``arrhenius(activation_energy, reference)`` are factors of the temperature: in the tree
they have the name ``T`` as one more argument, so that a formula with one of them refers to ``T`` as any other does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from ..errors import IontideError, did_you_mean, suggestion
from .units import NUMBER_PATTERN, Dimension, UnitError, is_unit, near_units, parse_quantity, quoted

#: Longest formula that is read, in characters, and how deep its operators, calls and parentheses may nest.
MAX_LENGTH = 10_000
MAX_NESTING = 100

#: The functions of the language with their number of arguments; ``min`` and ``max`` also take more.
ARGUMENTS = {"exp": 1, "log": 1, "sqrt": 1, "tanh": 1, "abs": 1, "linexp": 1, "min": 2, "max": 2, "where": 3}
ARGUMENTS |= {"q10": 2, "arrhenius": 2}

#: Functions that also depend on the temperature, which is not written among their arguments.
OF_TEMPERATURE = frozenset({"q10", "arrhenius"})


class FormulaError(IontideError, ValueError):
    """A formula that cannot be read or has no finite value; the message quotes the place, in one sentence."""

    exit_code = 3


Place: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Number:
    """A literal: its SI value, its dimension, the text that was written."""

    value_si: float
    dimension: Dimension
    text: str
    place: Place = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A name, dots included: ``P_K``, ``K.inside.activity``."""

    dotted: str
    place: Place = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """``-operand``, the one unary operator of the tree."""

    operator: str
    operand: Node
    place: Place = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right`` with one of ``+ - * / ^``."""

    operator: str
    left: Node
    right: Node
    place: Place = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """``left operator right`` with one of ``< <= > >= == !=``, the condition of a ``where``."""

    operator: str
    left: Node
    right: Node
    place: Place = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of `ARGUMENTS` with its arguments."""

    function: str
    arguments: tuple[Node, ...]
    place: Place = field(compare=False, repr=False)


Node: TypeAlias = Number | Name | Unary | Binary | Compare | Call


def children(node: Node) -> tuple[Node, ...]:
    """Operands of a node, from left to right."""
    match node:
        case Binary() | Compare():
            return (node.left, node.right)
        case Unary():
            return (node.operand,)
        case Call():
            return node.arguments
    return ()


def fold(root: Node, combine: Callable[[Node, list[Any]], Any]) -> Any:
    """Value of a tree from the leaves up, left to right; no recursion, as a sum may have 5000 terms."""
    order, stack = [], [root]
    while stack:
        order.append(stack.pop())
        stack.extend(children(order[-1]))
    values: list[Any] = []
    for node in reversed(order):
        first = len(values) - len(children(node))
        values[first:] = [combine(node, values[first:])]
    return values.pop()


class _Token(NamedTuple):
    kind: str  # "number", "quantity" (a number with a unit), "name", "operator" or "end"
    text: str
    start: int
    end: int


_TOKEN = re.compile(
    rf"\s*(?:(?P<number>{NUMBER_PATTERN})|(?P<name>[A-Za-z_]\w*(?:\.\w*)*)"
    r"|(?P<operator>\*\*|[<>=!]=|[-+*/^<>(),])|(?P<end>\Z))"
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*")
_SPACE = re.compile(r"\s*")
_LETTER = r"[^\W⁰¹²³⁴-⁹]"
_UNIT = re.compile(rf"(?:(?!\d){_LETTER}|[%°]){_LETTER}*(?:\.{_LETTER}+)*")
_UNIT_POWER = re.compile(r"\^-?[0-9]+(?![\w.])|⁻?[⁰¹²³⁴-⁹]+")
_HINTS = {"−": "-", "–": "-", "×": "*", "·": "*", "÷": "/", "=": "==", "≤": "<=", "≥": ">=", "≠": "!="}


def _fault(text: str, position: int, what: str) -> FormulaError:
    return FormulaError(f"column {position + 1} of {quoted(text)}: {what}")


def _unit_at(text: str, position: int) -> int:
    """Where a known unit that starts at the position ends, or -1; ``min(`` is the function, not a minute."""
    word = _UNIT.match(text, position)
    return word.end() if word and is_unit(word[0]) and not text.startswith("(", word.end()) else -1


def _unit_end(text: str, position: int) -> int:
    """Where the unit ends that binds to the number ending at the position; there, if there is none."""
    start = _SPACE.match(text, position).end()  # type: ignore[union-attr]  # the pattern matches at every position
    end = _unit_at(text, start)
    if end < 0 and (word := _UNIT.match(text, start)):
        missing = f"an operator is missing before {quoted(word[0])}"
        if not is_unit(word[0]) and (near := near_units(word[0])):
            missing += f", or the unit is unknown{suggestion(near)}"
        raise _fault(text, start, missing)
    if end < 0 and start > position and text.startswith("/", start):
        end = _unit_at(text, start + 1)
    if end < 0:
        return position
    while True:
        if power := _UNIT_POWER.match(text, end):
            end = power.end()
        following = _unit_at(text, end + 1)
        spaced = text.startswith(" ", end) and _UNIT_POWER.match(text, following)
        if following < 0 or not (spaced or text.startswith(("/", "·"), end)):
            return end
        end = following


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while not tokens or tokens[-1].kind != "end":
        match = _TOKEN.match(text, position)
        if match is None:
            start = len(text) - len(text[position:].lstrip())
            hint = f"; write {_HINTS[text[start]]}" if text[start] in _HINTS else ""
            raise _fault(text, start, f"{quoted(text[start])} has no meaning here{hint}")
        kind = str(match.lastgroup)
        start, position = match.span(kind)
        if kind == "number" and (end := _unit_end(text, position)) > position:
            kind, position = "quantity", end
        elif kind == "name" and not _NAME.fullmatch(match[kind]):
            rule = "each part of a name is a letter, then letters, digits or _"
            raise _fault(text, start, f"{quoted(match[kind])} is not a name; {rule}")
        tokens.append(_Token(kind, text[start:position], start, position))
    return tokens


_COMPARISON, _PRODUCT, _POWER = 1, 3, 5
_PRECEDENCE = {"+": 2, "-": 2, "*": _PRODUCT, "/": _PRODUCT, "^": _POWER, "**": _POWER}
_PRECEDENCE |= dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), _COMPARISON)


class _Parser:
    """Precedence climbing over the tokens of one formula."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.position = 0
        self.depth = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.position]

    @property
    def last(self) -> _Token:
        return self.tokens[self.position - 1]

    def take(self, *operators: str) -> bool:
        """Whether the next token is one of the operators, which is then consumed."""
        is_next = self.next.kind == "operator" and self.next.text in operators
        self.position += is_next
        return is_next

    def fault(self, token: _Token, what: str) -> FormulaError:
        return _fault(self.text, token.start, what)

    def unexpected(self) -> FormulaError:
        """The error for a next token that cannot follow here."""
        token = self.next
        if token.kind == "end":
            return self.fault(token, "the formula ends too early")
        ended = self.position and (self.last.kind != "operator" or self.last.text == ")")
        if ended and (token.kind != "operator" or token.text == "("):
            return self.fault(token, f"an operator is missing before {quoted(token.text)}")
        return self.fault(token, f"{quoted(token.text)} does not belong here")

    def whole(self) -> Node:
        node = self.no_comparison(self.expression())
        if self.next.kind != "end":
            raise self.unexpected()
        return node

    def no_comparison(self, node: Node) -> Node:
        if isinstance(node, Compare):
            rule = "a comparison is allowed only as the condition of where(condition, a, b)"
            raise _fault(self.text, node.place[0], rule)
        return node

    def expression(self, least: int = _COMPARISON) -> Node:
        """An expression of operators of at least this precedence."""
        self.depth += 1
        if self.depth > MAX_NESTING + 1:
            raise self.fault(self.next, f"the formula nests deeper than {MAX_NESTING} levels")
        start = self.next.start
        left = self.operand()
        while self.next.kind == "operator" and _PRECEDENCE.get(self.next.text, 0) >= least:
            symbol, precedence = self.next.text, _PRECEDENCE[self.next.text]
            if precedence == _POWER and self.last.kind == "quantity":
                # A power right after a unit belongs to the unit (5 mM^2); with a space or a name it would be ambiguous.
                number = self.last.text
                raise self.fault(self.last, f"write ({number}){symbol}… for a power of `{number}`")
            self.position += 1
            right = self.no_comparison(self.expression(precedence + (precedence != _POWER)))
            kind = Compare if precedence == _COMPARISON else Binary
            symbol = "^" if symbol == "**" else symbol
            left = kind(symbol, self.no_comparison(left), right, (start, self.last.end))
        self.depth -= 1
        return left

    def operand(self) -> Node:
        token = self.next
        if self.take("-"):
            if self.next.kind == "quantity" and self.next.text.endswith(("degC", "°C")):
                # -5 degC is a temperature, 268.15 K; the negative of 5 degC would be -278.15 K.
                self.position += 1
                return self.number(token.start)
            operand = self.no_comparison(self.expression(_POWER))
            return Unary("-", operand, (token.start, self.last.end))
        if self.take("+"):
            return self.no_comparison(self.expression(_POWER))
        if self.take("("):
            node = self.expression()
            self.close()
            return node
        if token.kind not in ("number", "quantity", "name"):
            raise self.unexpected()
        self.position += 1
        if token.kind != "name":
            return self.number(token.start)
        if self.take("("):
            return self.call(token)
        if token.text in ARGUMENTS:
            raise self.fault(token, f"`{token.text}` is a function and needs its arguments in parentheses")
        return Name(token.text, (token.start, token.end))

    def close(self) -> None:
        if not self.take(")"):
            raise self.unexpected()

    def number(self, start: int) -> Number:
        """The literal that ends with the last token."""
        place = (start, self.last.end)
        text = self.text[slice(*place)]
        try:
            # A space is allowed after the sign of -5 degC, as after any minus, but not in a quantity.
            signed = "-" + text[1:].lstrip() if text.startswith("-") else text
            return Number(*parse_quantity(signed), text, place)
        except UnitError as error:
            raise _fault(self.text, start, str(error)) from None

    def call(self, name: _Token) -> Call:
        """The call of a function whose opening parenthesis has been read."""
        if name.text not in ARGUMENTS:
            hint = did_you_mean(name.text, ARGUMENTS)
            known = f"(functions are {', '.join(ARGUMENTS)})"
            raise self.fault(name, f"unknown function {quoted(name.text)}{hint} {known}")
        arguments = [self.expression()]
        while self.take(","):
            arguments.append(self.expression())
        self.close()
        due, more = ARGUMENTS[name.text], name.text in ("min", "max")
        if len(arguments) < due or (len(arguments) > due and not more):
            takes = f"{due} or more arguments" if more else f"{due} argument{'s' if due > 1 else ''}"
            raise self.fault(name, f"{name.text} takes {takes}, not {len(arguments)}")
        if name.text == "where" and not isinstance(arguments[0], Compare):
            raise _fault(self.text, arguments[0].place[0], "the condition of where is a comparison, as in V < 0 mV")
        for argument in arguments[name.text == "where" :]:
            self.no_comparison(argument)
        if name.text in OF_TEMPERATURE:
            arguments.append(Name("T", (name.start, name.end)))
        return Call(name.text, tuple(arguments), (name.start, self.last.end))


def parse_tree(text: str) -> Node:
    """Tree of a formula.

    Raises
    ------
    FormulaError
        A token that is not allowed where it is, an unknown function or unit, a formula that is too long or too deep.
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"a formula of {len(text)} characters is too long, at most {MAX_LENGTH} are read")
    if not text.strip():
        raise FormulaError("the formula is empty")
    return _Parser(text).whole()
