"""The tape: right-hand side and exact sparse Jacobian as one straight-line program, and its readable interpreter.

What depends on parameters alone is computed once per parameter set by the *prologue*; the tape proper reads its
results as constants ``k``. The kernel runs the tape as machine code (``kernel.codegen``); ``Tape.run`` runs the same
instructions in plain NumPy, slowly and legibly, and the tests hold the two together to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .differentiation import jacobian, reachable
from .expression import Expression, bernoulli_slope_value, bernoulli_value, is_constant


class Instruction(NamedTuple):
    """``register[n] = op(registers a, b, c; value)``; ``n`` is the instruction's place on the tape."""

    op: str
    a: int = -1
    b: int = -1
    value: float = 0.0
    c: int = -1


class Output(NamedTuple):
    """Where a register goes: ``array`` is ``f``, ``J``, ``f_t`` or ``k``; ``slot`` its flat index there."""

    array: str
    slot: int
    register: int


NUMPY_OPERATIONS = {
    "add": lambda a, b, v: a + b,
    "sub": lambda a, b, v: a - b,
    "mul": lambda a, b, v: a * b,
    "div": lambda a, b, v: a / b,
    "neg": lambda a, b, v: -a,
    "exp": lambda a, b, v: np.exp(a),
    "log": lambda a, b, v: np.log(a),
    "sqrt": lambda a, b, v: np.sqrt(a),
    "pow": lambda a, b, v: np.power(a, v),
    "tanh": lambda a, b, v: np.tanh(a),
    "abs": lambda a, b, v: np.abs(a),
    "less": lambda a, b, v: np.less(a, b) * 1.0,
    "less_equal": lambda a, b, v: np.less_equal(a, b) * 1.0,
    "equal": lambda a, b, v: np.equal(a, b) * 1.0,
    "bernoulli": lambda a, b, v: bernoulli_value(a),
    "bernoulli_slope": lambda a, b, v: bernoulli_slope_value(a),
}


#: Sets of values that go through a prologue together; all of a long protocol would take much memory.
_LANES = 4096


@dataclass(frozen=True)
class Tape:
    """A straight-line program.

    Attributes
    ----------
    instructions : tuple of Instruction
        ``state``, ``constant`` and ``time`` load; ``literal`` is a number; the others compute.
    outputs : tuple of Output
    """

    instructions: tuple[Instruction, ...]
    outputs: tuple[Output, ...]

    def run(self, time: float, y: NDArray, k: NDArray, sizes: Mapping[str, int]) -> dict[str, NDArray]:
        """Interpret the tape in NumPy.

        Parameters
        ----------
        time : float
            s.
        y : array, shape (n, ...)
            States; trailing axes are lanes.
        k : array, shape (m, ...)
            Constants from the prologue.
        sizes : mapping of str to int
            Length of each output array.

        Returns
        -------
        dict of str to array, shape (size, ...)
        """
        with np.errstate(all="ignore"):  # as machine code does it; what is not chosen by a `where` may be anything
            return self._run(time, y, k, sizes)

    def _run(self, time: float, y: NDArray, k: NDArray, sizes: Mapping[str, int]) -> dict[str, NDArray]:
        registers = self.registers(time, y, k)
        lanes = np.broadcast_shapes(np.shape(y)[1:], np.shape(k)[1:])
        arrays = {name: np.zeros((size, *lanes)) for name, size in sizes.items()}
        for array, slot, register in self.outputs:
            arrays[array][slot] = registers[register]
        return arrays

    def registers(self, time: float, y: NDArray, k: NDArray) -> list:
        """Every register once the tape has run."""
        registers: list = []
        for op, a, b, value, c in self.instructions:
            if op == "state":
                registers.append(y[a])
            elif op == "constant":
                registers.append(k[a])
            elif op == "time":
                registers.append(time)
            elif op == "literal":
                registers.append(value)
            elif op == "where":
                registers.append(np.where(registers[a], registers[b], registers[c]))
            else:
                left = registers[a]
                registers.append(NUMPY_OPERATIONS[op](left, registers[b] if b >= 0 else None, value))
        return registers


@dataclass(frozen=True)
class Program:
    """All tapes of one system ``M y' = f(t, y)``.

    Attributes
    ----------
    size : int
        Number of states n.
    inputs : tuple of str
        Paths of the quantities that the prologue reads, in order.
    prologue : Tape
        inputs → ``k`` (its ``state`` loads are the inputs): ``constants`` numbers for the tapes, then the mass matrix.
    constants : int
        How many of ``k`` are constants of the tapes.
    mass_rows, mass_columns : tuple of int
        Places of the entries of the mass matrix M.
    rates : Tape
        → ``f`` (n).
    linearised : Tape
        → ``f`` (n), ``J`` (n·n, row by row), ``f_t`` (n).
    autonomous : bool
        Whether time does not appear (``f_t`` = 0).
    crossings : Tape
        → ``g``: quantities that are watched for passing through 0.
    watched : int
        How many of them.
    """

    size: int
    inputs: tuple[str, ...]
    prologue: Tape
    constants: int
    mass_rows: tuple[int, ...]
    mass_columns: tuple[int, ...]
    rates: Tape
    linearised: Tape
    autonomous: bool
    crossings: Tape
    watched: int

    def prepare(self, values: Mapping[str, float]) -> tuple[NDArray, NDArray]:
        """Run the prologue: constants ``k`` and the entries of the mass matrix for one set of values."""
        inputs = np.array([values[path] for path in self.inputs], dtype=float)
        total = self.constants + len(self.mass_rows)
        k = self.prologue.run(0.0, inputs, np.zeros(0), {"k": total})["k"]
        return k[: self.constants], k[self.constants :]

    def prepare_all(self, values: Sequence[Mapping[str, float]]) -> tuple[NDArray, NDArray]:
        """``prepare`` for many sets of values at once, each a lane of the prologue; shapes (sets, …)."""
        total = self.constants + len(self.mass_rows)
        k = np.empty((len(values), total))
        for first in range(0, len(values), _LANES):
            part = values[first : first + _LANES]
            inputs = np.array([[of_set[path] for of_set in part] for path in self.inputs], dtype=float)
            inputs = inputs.reshape(len(self.inputs), len(part))
            k[first : first + _LANES] = self.prologue.run(0.0, inputs, np.zeros(0), {"k": total})["k"].T
        return k[:, : self.constants].copy(), k[:, self.constants :].copy()

    def prepare_columns(self, columns: Sequence[float | NDArray], count: int) -> tuple[NDArray, NDArray]:
        """``prepare_all`` from the values of each input, one number or ``count`` of them."""
        total = self.constants + len(self.mass_rows)
        k = np.empty((count, total))
        for first in range(0, count, _LANES):
            part = slice(first, min(first + _LANES, count))
            inputs = np.empty((len(self.inputs), part.stop - first))
            for row, column in zip(inputs, columns, strict=True):
                row[:] = column[part] if isinstance(column, np.ndarray) else column
            k[part] = self.prologue.run(0.0, inputs, np.zeros(0), {"k": total})["k"].T
        return k[:, : self.constants].copy(), k[:, self.constants :].copy()

    def evaluate_rates(self, time: float, y: NDArray, k: NDArray) -> NDArray:
        """f(t, y) by the interpreter, shape (n, ...)."""
        return self.rates.run(time, y, k, {"f": self.size})["f"]

    def evaluate_jacobian(self, time: float, y: NDArray, k: NDArray) -> NDArray:
        """∂f/∂y by the interpreter, shape (n, n, ...)."""
        arrays = self.linearised.run(time, y, k, {"f": self.size, "J": self.size**2, "f_t": self.size})
        return arrays["J"].reshape(self.size, self.size, *arrays["J"].shape[1:])

    def mass_matrix(self, mass: NDArray) -> NDArray:
        """M as a full matrix, shape (…, n, n), from its entries, shape (…, w)."""
        full = np.zeros((*mass.shape[:-1], self.size, self.size))
        for entry, place in enumerate(zip(self.mass_rows, self.mass_columns, strict=True)):
            full[..., *place] += mass[..., entry]
        return full


def assemble(
    rates: Sequence[Expression], mass: Mapping[tuple[int, int], Expression], watched: Sequence[Expression] = ()
) -> Program:
    """Lay the equations ``M y' = f`` out as tapes.

    Parameters
    ----------
    rates : sequence of Expression
        f, one per state.
    mass : mapping of (row, column) to Expression
        Entries of M; they may depend on inputs only.
    watched : sequence of Expression
        Quantities that are watched for passing through 0.
    """
    n = len(rates)
    slopes = jacobian(rates, n)
    entries = [Output("f", i, e.index) for i, e in enumerate(rates)]
    linear = entries + [
        Output("f_t", row, e.index) if column == n else Output("J", row * n + column, e.index)
        for (row, column), e in slopes.items()
    ]
    nodes = rates[0].graph.nodes
    for e in mass.values():
        if e.varies:
            raise ValueError("the mass matrix must not depend on the state")

    levels = [Output("g", i, e.index) for i, e in enumerate(watched)]
    needed = reachable([nodes[o.register] for o in (*linear, *levels)])
    # Hoisted: the largest subexpressions of inputs alone that something varying, or an output, uses.
    users = {a.index for e in needed if e.varies for a in e.args} | {o.register for o in (*linear, *levels)}
    hoisted = [e for e in needed if e.index in users and not e.varies and not is_constant(e)]
    slot_of = {e.index: i for i, e in enumerate(hoisted)}
    prologue_outputs = [Output("k", i, e.index) for i, e in enumerate(hoisted)]
    prologue_outputs += [Output("k", len(hoisted) + i, e.index) for i, e in enumerate(mass.values())]
    prologue_nodes = reachable([nodes[o.register] for o in prologue_outputs])
    inputs = tuple(e.value for e in prologue_nodes if e.op == "input")

    return Program(
        size=n,
        inputs=inputs,
        prologue=_tape(nodes, prologue_outputs, {}, {path: i for i, path in enumerate(inputs)}),
        constants=len(hoisted),
        mass_rows=tuple(row for row, _ in mass),
        mass_columns=tuple(column for _, column in mass),
        rates=_tape(nodes, entries, slot_of, {}),
        linearised=_tape(nodes, linear, slot_of, {}),
        autonomous=not any(column == n for _, column in slopes),
        crossings=_tape(nodes, levels, slot_of, {}),
        watched=len(levels),
    )


def tape_of(functions: Sequence[Expression]) -> tuple[Tape, tuple[str, ...]]:
    """Functions of inputs alone as a tape → ``f`` (its ``state`` loads are the inputs), and the paths of these."""
    if not functions:
        return Tape((), ()), ()
    nodes = functions[0].graph.nodes
    paths = tuple(e.value for e in reachable(functions) if e.op == "input")
    outputs = [Output("f", i, e.index) for i, e in enumerate(functions)]
    return _tape(nodes, outputs, {}, {path: i for i, path in enumerate(paths)}), paths


def _tape(
    nodes: Sequence[Expression],
    outputs: Sequence[Output],
    constants: Mapping[int, int],
    inputs: Mapping[str, int],
) -> Tape:
    """Number the nodes that the outputs need as registers; hoisted nodes become loads and end the descent."""
    needed: set[int] = set()
    stack = [o.register for o in outputs]
    while stack:
        i = stack.pop()
        if i not in needed:
            needed.add(i)
            if i not in constants:
                stack.extend(a.index for a in nodes[i].args)
    instructions: list[Instruction] = []
    register: dict[int, int] = {}
    for i in sorted(needed):
        e = nodes[i]
        register[i] = len(instructions)
        if i in constants:
            instructions.append(Instruction("constant", constants[i]))
        elif e.op == "const":
            instructions.append(Instruction("literal", value=e.value))
        elif e.op == "state":
            instructions.append(Instruction("state", e.value))
        elif e.op == "input":
            instructions.append(Instruction("state", inputs[e.value]))
        elif e.op == "time":
            instructions.append(Instruction("time"))
        else:
            args = [register[a.index] for a in e.args]
            value = e.value if e.op == "pow" else 0.0
            a, b, c = [*args, -1, -1][:3]
            instructions.append(Instruction(e.op, a, b, value, c))
    return Tape(tuple(instructions), tuple(Output(o.array, o.slot, register[o.register]) for o in outputs))
