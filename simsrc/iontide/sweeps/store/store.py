"""The folder of a sweep: its plan, and what is done of it.

::

    plan.json           all that decides the results, with its digest (``plan.Plan``)
    provenance.json     when, where and with what versions the folder was made
    shards/0000123.h5   one block each (``shards``): it is done if its shard is whole, of this plan and of these points
    claims/             who is at work on what (``claims``)
    index.h5            a status a point, made from the shards whenever it is asked for (``index``)
    status.json         how far it is, for programs (``index``)
    logs/
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import FileError, IontideError
from ...formulas.display import size_text
from ...storage.provenance import surroundings, utc_now
from ...storage.replacing import cannot_write, replacing, write_all
from ...storage.untrusted import MAX_TEXT
from ..compute.block import FAILED, Block
from ..plan.plan import Plan
from .block_locks import Claims, clear_claims, clear_parts, this_process
from .shards import Head, Stamp, read_shard, stamp_of, verify_shard, write_shard

PLAN = "plan.json"
PROVENANCE = "provenance.json"

#: What may be in a folder before its plan is.
_OWN = {PROVENANCE, "shards", "claims", "logs", "index.h5", "status.json"}


class Store:
    """A sweep on disk, as one process sees it.

    Attributes
    ----------
    folder : Path
    plan : Plan
    faults : dict of int to str
        Blocks whose shard was looked at and is there but does not count, and why.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.faults: dict[int, str] = {}
        self._claims = Claims(folder / "claims")
        # What was found at a stamp; None for a shard that does not count.
        self._known: dict[int, tuple[Stamp, Head | None]] = {}

    @classmethod
    def create(cls, folder: str | os.PathLike[str], plan: Plan) -> Store:
        """Make the folder of a sweep, or open the one that is there if it is of the same plan.

        Raises
        ------
        FileError
            Where the folder is the sweep of another plan, or holds something else, or cannot be written.
        """
        folder = Path(folder)
        if not os.path.exists(folder / PLAN):
            _refuse_foreign(folder)
            _make_folder(folder / "shards")
            write_json(folder / PROVENANCE, {"created": utc_now(), "argv": sys.argv, **surroundings()})
            write_json(folder / PLAN, plan.to_json())
        store = cls.open(folder)
        if store.plan.digest != plan.digest:
            raise FileError(
                f"{folder} is the sweep of another plan: {'; '.join(_differences(store.plan, plan))}. "
                "Choose another folder for this plan, or go on with the one that is there"
            )
        return store

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Store:
        """Open the folder of a sweep, and clear away what killed writers left in it.

        Raises
        ------
        FileError
            Where there is none, or its plan cannot be read or trusted.
        """
        folder = Path(folder)
        store = cls(folder, _read_plan(folder))
        store.clear()
        return store

    def clear(self) -> None:
        """Remove unfinished files and claims of processes that are gone."""
        clear_parts(self.folder / "shards", self.folder / "claims")
        clear_claims(self.folder / "claims")

    # -- shards -------------------------------------------------------------------------------------------------------

    def shard(self, number: int) -> Path:
        """Where the shard of a block is, or would be."""
        return self.folder / "shards" / f"{number:07d}.h5"

    def write(self, block: Block) -> None:
        """Write a block as its shard, whole or not at all; one that is there is replaced.

        Raises
        ------
        FileError
            Where it cannot be written.
        """
        number = block.start // self.plan.block
        if (block.start, block.stop) != self.plan.span(number):
            raise ValueError(f"points {block.start} to {block.stop} are no block of the plan")
        head = write_shard(self.shard(number), block, self.plan.digest)
        self.faults.pop(number, None)
        self._known[number] = head.stamp, head

    def head(self, number: int) -> Head | None:
        """What the shard of a block says of itself, once it was verified; None where it is missing or not sound.

        A shard is read through when it is first asked for, and again when the file has changed.
        """
        path = self.shard(number)
        stamp = stamp_of(path)
        if stamp is None:
            self.faults.pop(number, None)
            self._known.pop(number, None)
            return None
        known = self._known.get(number)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            head = verify_shard(path, self.plan.digest, self.plan.span(number))
        except FileError as error:
            self.faults[number] = str(error)
            self._known[number] = stamp, None
            return None
        self.faults.pop(number, None)
        self._known[number] = head.stamp, head
        return head

    def has(self, number: int) -> bool:
        """Whether a block is there: not only a file of its name, but whole and of this plan."""
        return self.head(number) is not None

    def read(self, number: int) -> Block:
        """The block, bit for bit as it was written.

        Raises
        ------
        FileError
            Where it is missing or not sound.
        """
        if not self.has(number):
            raise FileError(self.faults.get(number, f"{self.shard(number)} is missing"))
        return read_shard(self.shard(number), *self.plan.span(number))

    def missing(self) -> list[int]:
        """The blocks that are not there, those with a shard that does not count among them."""
        return [number for number in range(self.plan.blocks) if not self.has(number)]

    def failed(self) -> list[int]:
        """The blocks that are there and hold points that failed."""
        return [number for number, head in self.heads() if head is not None and head.counts[FAILED]]

    def heads(self) -> Iterator[tuple[int, Head | None]]:
        """Every block with what its shard says of itself."""
        for number in range(self.plan.blocks):
            yield number, self.head(number)

    def remove(self, number: int) -> None:
        """Remove the shard of a block, so that it is computed again.

        Raises
        ------
        FileError
            Where the system refuses.
        """
        try:
            self.shard(number).unlink(missing_ok=True)
        except OSError as error:
            raise FileError(f"cannot remove {self.shard(number)}: {(error.strerror or str(error)).lower()}") from error
        self.faults.pop(number, None)
        self._known.pop(number, None)

    # -- claims -------------------------------------------------------------------------------------------------------

    def claim(self, number: int) -> bool:
        """Say that this process is at work on a block; False where another is that is not known to be gone."""
        return self._claims.take(number)

    def release(self, number: int) -> None:
        """Take the claim back."""
        self._claims.release(number)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def write_json(path: Path, told: Any) -> None:
    """Write a file of JSON, whole or not at all; raises ``FileError``."""
    data = (json.dumps(told, indent=1) + "\n").encode()
    with replacing(path, writer=this_process()) as descriptor:
        write_all(descriptor, memoryview(data))


def read_json(path: Path) -> Any:
    """What a file of JSON holds.

    Raises
    ------
    FileError
        Where it cannot be read or is not JSON.
    """
    try:
        if not os.path.isfile(path):
            raise FileError(f"cannot read {path}: there is no such file")
        with path.open("rb") as file:
            data = file.read(MAX_TEXT + 1)
        if len(data) > MAX_TEXT:
            raise FileError(f"{path}: larger than {size_text(MAX_TEXT)}, which no file of a sweep is")
        return json.loads(data)
    except OSError as error:
        raise FileError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: damaged or cut short: this is not JSON") from error


def _read_plan(folder: Path) -> Plan:
    path = folder / PLAN
    if not os.path.exists(path):
        raise FileError(f"{folder} is not the folder of a sweep: there is no {PLAN} in it")
    told = read_json(path)
    try:
        return Plan.from_json(told)
    except IontideError as error:
        raise FileError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise FileError(f"{path}: damaged, or written by another version of iontide ({error!r:.200})") from error


def _refuse_foreign(folder: Path) -> None:
    """A sweep goes into a folder of its own."""
    try:
        found = {entry.name for entry in os.scandir(folder) if not entry.name.startswith(".")}
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise FileError(f"{folder} is a file; a sweep goes into a folder") from None
    except OSError as error:
        raise FileError(f"cannot read {folder}: {(error.strerror or str(error)).lower()}") from error
    if found - _OWN:
        raise FileError(
            f"{folder} holds other files ({', '.join(sorted(found - _OWN)[:3])}) and no {PLAN}; "
            "a sweep goes into a folder of its own"
        )


def _differences(old: Plan, new: Plan) -> list[str]:
    """What two plans differ in, for a person."""
    pairs = [
        ("points", old.size, new.size),
        ("points in a block", old.block, new.block),
        ("design", old.design_name, new.design_name),
        ("seed", old.seed, new.seed),
        ("kept", ", ".join(old.keep), ", ".join(new.keep)),
        ("varied", ", ".join(a.path for a in old.axes), ", ".join(a.path for a in new.axes)),
        ("units", ", ".join(a.unit for a in old.axes), ", ".join(a.unit for a in new.axes)),
    ]
    found = [f"{what}: {there} there, {here} here" for what, there, here in pairs if there != here]
    return [
        *(found or ["the scenario, the values, or what they must meet is not the same"]),
        f"digest: {old.digest[:12]} there, {new.digest[:12]} here",
    ]
