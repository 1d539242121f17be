"""Options of Slurm for the jobs of a sweep, for example ``partition=short,time=1:00:00,mem=2G``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ...errors import UsageError

#: Options passed on to ``sbatch``, with its names.
PASSED_THROUGH = {
    name: name
    for name in (
        *("partition", "time", "account", "qos", "mem", "mem-per-cpu", "constraint", "reservation", "nodelist"),
        *("exclude", "gres", "licenses", "nice", "comment", "mail-type", "mail-user", "wckey"),
    )
} | {"cpus": "cpus-per-task"}

#: Options that also apply to the job after the array, which needs few resources.
OF_THE_JOB_AFTER = ("partition", "time", "account", "qos", "constraint", "reservation", "mem", "mem-per-cpu", "wckey")

#: Options that are not passed on, all whole numbers: elements of the array, how many of them may run at once, and how
#: many seconds before its time limit an element is asked to stop.
WHOLE_NUMBERS = ("elements", "at_once", "signal")

#: Usual and least time between the stop signal and the time limit, s; a tenth of the limit if that is less than usual.
WARNING, LEAST_WARNING = 60, 5

_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


def minutes_of(text: str) -> float | None:
    """A time of Slurm (``90``, ``1:30:00``, ``2-12``) in minutes; None if unlimited or not given.

    Raises
    ------
    ValueError
        If it is no such time.
    """
    if text.upper() in ("UNLIMITED", "INFINITE", "NONE", "NOT_SET", ""):
        return None
    match = _TIME.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no time in a format of Slurm")
    days, first, second, third = match.groups()
    a, b, c = int(first), int(second or 0), int(third or 0)
    if days is not None:  # days-hours[:minutes[:seconds]]
        return 1440.0 * int(days) + 60.0 * a + b + c / 60.0
    if third is not None:  # hours:minutes:seconds
        return 60.0 * a + b + c / 60.0
    return a + b / 60.0  # minutes[:seconds]


class SlurmOptions(Mapping[str, str]):
    """Options by name, checked.

    Parameters
    ----------
    options : mapping of str to str

    Raises
    ------
    UsageError
        For an unknown name or an invalid value.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = {name.strip(): str(value).strip() for name, value in options.items()}
        allowed = (*PASSED_THROUGH, *WHOLE_NUMBERS)
        for name, value in self._options.items():
            if name not in allowed:
                raise UsageError(f"Slurm: unknown option {name!r}; there are {', '.join(allowed)}")
            if not re.fullmatch(r"[\w.,:;=+@%/*()\[\]|&!~^-]+", value, re.ASCII):
                raise UsageError(f"Slurm: {name} must be a single word, got {value!r}")
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
        """Read ``name=value,name=value``, where a value may contain commas, as in ``exclude=n1,n2,time=10``."""
        pairs: dict[str, str] = {}
        for piece in re.split(r",(?=\s*[\w-]+=)", text) if text.strip() else ():
            name, equals, value = piece.partition("=")
            if not equals:
                raise UsageError(
                    f"Slurm: {piece.strip()!r} must be NAME=VALUE, for example partition=short,time=1:00:00"
                )
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
        """Elements of the array, if given."""
        return self._whole("elements")

    @property
    def at_once(self) -> int | None:
        """Elements that may run at once, if given."""
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
        """The options of ``sbatch`` that are passed on."""
        return [f"--{PASSED_THROUGH[name]}={value}" for name, value in self.items() if name in PASSED_THROUGH]

    def lines(self, minutes: float | None) -> list[str]:
        """Options of ``sbatch`` for an array with this time limit (min)."""
        return [*self.directives(), "--ntasks=1", f"--signal=B:USR1@{self.warning(minutes)}"]

    def lines_after(self) -> list[str]:
        """Options of ``sbatch`` for the job after the array."""
        return [*(f"--{PASSED_THROUGH[name]}={self[name]}" for name in OF_THE_JOB_AFTER if name in self), "--ntasks=1"]
