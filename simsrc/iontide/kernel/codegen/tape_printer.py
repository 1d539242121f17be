"""A tape printed as LLVM IR, for one number at a time (a run) or a vector of SIMD lanes (a sweep).

The printed function is ``void name(double* t, double* y, double* k, double* work, double* out)``; each pointer
addresses numbers of ``lanes`` doubles (structure of arrays), ``out`` holds the output arrays one after another.
One long function compiles worse than linearly, so a long tape is printed as several functions that pass values on
through ``work``.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...symbolic.tape import Instruction, Tape
from .math_functions import bernoulli_values, function_value
from .writer import Module, Vector, Writer, in_chunks

_BINARY = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_COMPARISON = {"less": "olt", "less_equal": "ole", "equal": "oeq"}
_LOADED_FROM = {"state": "%y", "constant": "%k", "time": "%t"}


def print_tape(module: Module, name: str, tape: Tape, offsets: Mapping[str, int]) -> int:
    """Print a tape as function ``name``; return how many numbers of ``work`` it needs.

    ``offsets`` gives where each output array starts within ``out``.
    """
    instructions = tape.instructions
    chunks = in_chunks(range(len(instructions)))
    chunk_of = {i: c for c, chunk in enumerate(chunks) for i in chunk}
    shared: dict[int, int] = {}  # register → place in work, for values that are used beyond their chunk
    for i, instruction in enumerate(instructions):
        for a in _registers(instruction):
            if chunk_of[a] != chunk_of[i] and not _is_load(instructions[a]):
                shared.setdefault(a, len(shared))
    outputs: dict[int, list[int]] = {}
    for o in tape.outputs:
        outputs.setdefault(o.register, []).append(offsets[o.array] + o.slot)
    pieces = []
    for chunk in chunks:
        piece = _Piece(module, instructions, shared)
        for i in chunk:
            if i in outputs or i in shared or not _is_load(instructions[i]):
                value = piece.value(i)
                if i in shared:
                    piece.w.store(value, "%work", shared[i])
                for slot in outputs.get(i, []):
                    piece.w.store(value, "%out", slot)
        pieces.append(piece.w.lines)
    module.define_in_pieces(name, ("t", "y", "k", "work", "out"), pieces)
    return len(shared)


def _registers(instruction: Instruction) -> list[int]:
    if _is_load(instruction):
        return []
    return [r for r in (instruction.a, instruction.b, instruction.c) if r >= 0]


def _is_load(instruction: Instruction) -> bool:
    return instruction.op in ("state", "constant", "time", "literal")


class _Piece:
    """A stretch of a tape, printed into one function."""

    def __init__(self, module: Module, instructions: tuple[Instruction, ...], shared: Mapping[int, int]) -> None:
        self.w, self.instructions, self.shared = Writer(module), instructions, shared
        self.known: dict[int, Vector] = {}
        self.bernoullis: dict[int, tuple[Vector, ...]] = {}

    def value(self, i: int) -> Vector:
        """Register ``i`` in this function, computed or loaded where it is not there yet."""
        if i not in self.known:
            self.known[i] = self._printed(*self.instructions[i])
        return self.known[i]

    def operand(self, i: int) -> Vector:
        """Value of an argument: from this function if it is computed here, else from ``work``."""
        if i not in self.known and i in self.shared:
            self.known[i] = self.w.load("%work", self.shared[i])
        return self.value(i)

    def _printed(self, op: str, a: int, b: int, number: float, c: int) -> Vector:
        if op == "literal":
            return self.w.constant(number)
        if op in _LOADED_FROM:
            return self.w.load(_LOADED_FROM[op], max(a, 0))
        if op.startswith("bernoulli"):
            return self._bernoulli(op, a)
        x = self.operand(a)
        if op in _BINARY:
            return self.w.contracted(_BINARY[op], x, self.operand(b))
        if op in _COMPARISON:  # a truth value becomes 1 or 0, so that it can pass through work
            return x.compare(_COMPARISON[op], self.operand(b)).as_number()
        if op == "where":
            chosen, otherwise = self.operand(b), self.operand(c)
            return x.compare("une", 0.0).choose(chosen, otherwise)
        return -x if op == "neg" else function_value(self.w, op, x, number)

    def _bernoulli(self, op: str, a: int) -> Vector:
        """B or B' of a register; B(u), B(−u) and their slopes share one evaluation."""
        minus = self.instructions[a].op == "neg"
        root = self.instructions[a].a if minus else a
        if root not in self.bernoullis:
            self.bernoullis[root] = bernoulli_values(self.w, self.operand(root))
        return self.bernoullis[root][(2 if op == "bernoulli_slope" else 0) + minus]
