"""What a user asks of Slurm for the jobs of a sweep, as ``partition=short,time=1:00:00,mem=2G``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ...errors import UsageError

#: Names of ours, and what ``sbatch`` calls them; passed through as they are.
PASSED_THROUGH = {
    name: name
    for name in (
        *("partition", "time", "account", "qos", "mem", "mem-per-cpu", "constraint", "reservation", "nodelist"),
        *("exclude", "gres", "licenses", "nice", "comment", "mail-type", "mail-user", "wckey"),
    )
} | {"cpus": "cpus-per-task"}

#: What also holds for the job after the array, which needs little.
OF_THE_JOB_AFTER = ("partition", "time", "account", "qos", "constraint", "reservation", "mem", "mem-per-cpu", "wckey")

#: Whole numbers that are told to us, not to Slurm: elements of the array, at most so many running at once, and the
#: seconds before its time limit at which an element is asked to stop.
WHOLE_NUMBERS = ("elements", "at_once", "signal")

#: Seconds of warning before the time limit, unless a tenth of the limit is less, or asked for otherwise.
WARNING, LEAST_WARNING = 60, 5

_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


def minutes_of(text: str) -> float | None:
    """A time of Slurm (``90``, ``1:30:00``, ``2-12``), min; None for one without end or not given.

    Raises
    ------
    ValueError
        For what is no such time.
    """
    if text.upper() in ("UNLIMITED", "INFINITE", "NONE", "NOT_SET", ""):
        return None
    match = _TIME.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no time of Slurm")
    days, first, second, third = match.groups()
    a, b, c = int(first), int(second or 0), int(third or 0)
    if days is not None:  # days-hours[:minutes[:seconds]]
        return 1440.0 * int(days) + 60.0 * a + b + c / 60.0
    if third is not None:  # hours:minutes:seconds
        return 60.0 * a + b + c / 60.0
    return a + b / 60.0  # minutes[:seconds]


class SlurmOptions(Mapping[str, str]):
    """Options by name, each known and each a single word.

    Parameters
    ----------
    options : mapping of str to str

    Raises
    ------
    UsageError
        For an unknown name, or a value that cannot be one.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = {name.strip(): str(value).strip() for name, value in options.items()}
        allowed = (*PASSED_THROUGH, *WHOLE_NUMBERS)
        for name, value in self._options.items():
            if name not in allowed:
                raise UsageError(f"Slurm: unknown option {name!r}; there are {', '.join(allowed)}")
            if not re.fullmatch(r"[\w.,:;=+@%/*()\[\]|&!~^-]+", value, re.ASCII):
                raise UsageError(f"Slurm: {name} must be one word, got {value!r}")
            if name in (*WHOLE_NUMBERS, "cpus") and not (re.fullmatch(r"[0-9]{1,8}", value) and int(value) > 0):
                raise UsageError(f"Slurm: {name} must be a whole number from 1, got {value!r}")
        try:
            self.minutes = minutes_of(self.get("time", ""))
        except ValueError:
            raise UsageError(
                f"Slurm: time must be minutes, hours:minutes:seconds or days-hours, got {self['time']!r}"
            ) from None

    @classmethod
    def read(cls, text: str) -> SlurmOptions:
        """From ``name=value,name=value``, where a value may hold commas, as in ``exclude=n1,n2,time=10``."""
        pairs: dict[str, str] = {}
        for piece in re.split(r",(?=\s*[\w-]+=)", text) if text.strip() else ():
            name, equals, value = piece.partition("=")
            if not equals:
                raise UsageError(f"Slurm: {piece.strip()!r} is not NAME=VALUE, as partition=short,time=1:00:00")
            if name.strip() in pairs:
                raise UsageError(f"Slurm: {name.strip()} is given twice")
            pairs[name.strip()] = value
        return cls(pairs)

    def __getitem__(self, name: str) -> str:
        return self._options[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)

    def _whole(self, name: str) -> int | None:
        return int(self[name]) if name in self else None

    @property
    def elements(self) -> int | None:
        """Elements of the array, where asked for."""
        return self._whole("elements")

    @property
    def at_once(self) -> int | None:
        """Elements that may run at once, where asked for."""
        return self._whole("at_once")

    @property
    def cpus(self) -> int:
        """Processors of an element."""
        return self._whole("cpus") or 1

    def warning(self, minutes: float | None) -> int:
        """Seconds before a time limit (min) at which an element is asked to stop."""
        asked = self._whole("signal")
        if asked is not None or minutes is None:
            return asked or WARNING
        return max(LEAST_WARNING, min(WARNING, int(6.0 * minutes)))

    def directives(self) -> list[str]:
        """What is passed through, as options of ``sbatch``."""
        return [f"--{PASSED_THROUGH[name]}={value}" for name, value in self.items() if name in PASSED_THROUGH]

    def lines(self, minutes: float | None) -> list[str]:
        """Options of ``sbatch`` for the array, where its time limit is so many minutes."""
        return [*self.directives(), "--ntasks=1", f"--signal=B:USR1@{self.warning(minutes)}"]

    def lines_after(self) -> list[str]:
        """Options of ``sbatch`` for the job after the array."""
        return [*(f"--{PASSED_THROUGH[name]}={self[name]}" for name in OF_THE_JOB_AFTER if name in self), "--ntasks=1"]
