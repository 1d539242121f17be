"""What is to be computed of a sweep on this machine, and what has come of it: blocks to hand out, and their fates."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ...errors import FileError, IontideError
from .work import BlockReport, Outcome, Report, Workplace

#: Workers that one block may kill before it is given up.
MOST_KILLED = 2

#: Blocks that are given up before any was computed, after which the rest is not tried.
MOST_IN_VAIN = 3

#: Seconds to wait for a block that another command has in hand before it is computed here too, at least; and between
#: two looks at whether it is there.
PATIENCE, LOOK = 5.0, 0.2

Tell = Callable[[str], None]


class CannotCompute(IontideError):
    """No block can be computed; what is finished stays, and the sweep can be resumed."""

    exit_code = 5


@dataclass(frozen=True)
class Trouble:
    """Why a block could not be computed or written.

    Attributes
    ----------
    sentence : str
    exit_code : int
        Of the error, where it would befall every block; 0 where the next may well do better.
    """

    sentence: str
    exit_code: int = 0


def attempt(place: Workplace, number: int, insist: bool) -> BlockReport | str | Trouble:
    """``place.take``, whatever it comes to."""
    try:
        return place.take(number, insist)
    except IontideError as error:
        return Trouble(str(error), error.exit_code)
    except MemoryError:
        return Trouble("there is not enough memory for it; make sweep.block smaller, or keep less of each point")
    except Exception as error:  # of one block; the others shall not suffer for it
        return Trouble(f"{type(error).__name__}: {' '.join(str(error).split())}")


class Ledger:
    """Blocks that are to be done, and what has come of the others."""

    def __init__(self, place: Workplace, blocks: Iterable[int], report: Report, tell: Tell) -> None:
        self._plan, self._report, self._tell = place.store.plan, report, tell
        self._waiting = deque(blocks)
        # In the hands of another command: since when, and when to look again.
        self._since: dict[int, float] = {}
        self._later: deque[tuple[float, int]] = deque()
        self._killed: dict[int, int] = {}
        self._longest = 0.0
        self._outcome = Outcome()

    @property
    def is_empty(self) -> bool:
        return not self._waiting and not self._later

    def outcome(self, stopped: bool) -> Outcome:
        """All that is known by now."""
        return replace(self._outcome, elsewhere=tuple(number for _, number in self._later), stopped=stopped)

    def next(self) -> tuple[int, bool] | None:
        """A block to compute, and whether to do so although another has claimed it; None where none is due yet."""
        if self._waiting:
            return self._waiting.popleft(), False
        now = time.monotonic()
        if not self._later or self._later[0][0] > now:
            return None
        _, number = self._later.popleft()
        return number, now - self._since[number] > max(PATIENCE, 2.0 * self._longest)

    def note(self, number: int, answer: BlockReport | str | Trouble) -> None:
        """What has become of a block; raises what would befall every block."""
        if isinstance(answer, Trouble):
            if answer.exit_code == FileError.exit_code:
                raise FileError(answer.sentence)
            if answer.exit_code:
                error = IontideError(answer.sentence)
                error.exit_code = answer.exit_code
                raise error
            self._give_up(number, answer.sentence)
        elif isinstance(answer, BlockReport):
            self._longest = max(self._longest, answer.seconds)
            self._outcome = self._outcome.with_block(answer)
            self._report(answer)
        elif answer == "there":
            self._outcome = replace(self._outcome, there=self._outcome.there + 1)
        else:
            now = time.monotonic()
            self._since.setdefault(number, now)
            self._later.append((now + LOOK, number))

    def note_killed(self, number: int, how: str) -> None:
        """A worker has ended with a block in its hands."""
        self._killed[number] = times = self._killed.get(number, 0) + 1
        if times < MOST_KILLED:
            self._waiting.append(number)
            self._tell(f"a worker {how} while it computed {self._named(number)}, which goes to another")
        else:
            self._give_up(number, f"{times} workers that computed it ended, the last one {how}")

    def _give_up(self, number: int, why: str) -> None:
        sentence = f"{self._named(number)} was given up: {why}"
        self._outcome = replace(self._outcome, given_up={**self._outcome.given_up, number: sentence})
        self._report(BlockReport(number, 0, 0, 0.0, (sentence,)))
        if not self._outcome.blocks and len(self._outcome.given_up) >= MOST_IN_VAIN:
            raise CannotCompute("not one block can be computed, so the rest was not tried")

    def _named(self, number: int) -> str:
        start, stop = self._plan.span(number)
        return f"block {number} (points {start} to {stop - 1})"
