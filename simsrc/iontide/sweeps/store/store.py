"""The folder of a sweep: its plan, and the blocks computed so far.

::

    plan.json           everything that determines the results, with its digest (``plan.Plan``)
    provenance.json     when, where and with which versions the folder was made
    shards/0000123.h5   one block each (``shards``): it is done if the shard is valid, of this plan and these points
    locks/              which process computes which block (``block_locks``)
    index.h5            the status of each point, updated from the shards (``status_index``)
    status.json         progress, for other programs (``status_index``)
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
from .block_locks import BlockLocks, clear_stale_locks, clear_unfinished_files, process_name
from .shards import Head, Stamp, read_shard, stamp_of, verify_shard, write_shard

PLAN = "plan.json"
PROVENANCE = "provenance.json"

#: Files that a folder may hold before its plan is written.
_KNOWN_FILES = {PROVENANCE, "shards", "locks", "logs", "index.h5", "status.json"}


class Store:
    """A sweep on disk, as one process sees it.

    Attributes
    ----------
    folder : Path
    plan : Plan
    faults : dict of int to str
        Blocks whose shard exists but is not valid, and why.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.faults: dict[int, str] = {}
        self._locks = BlockLocks(folder / "locks")
        # The head of a shard by its stamp; None for a shard that is not valid.
        self._known: dict[int, tuple[Stamp, Head | None]] = {}

    @classmethod
    def create(cls, folder: str | os.PathLike[str], plan: Plan) -> Store:
        """Make the folder of a sweep, or open an existing one of the same plan.

        Raises
        ------
        FileError
            If the folder is the sweep of another plan, holds other files, or cannot be written.
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
                "Choose another folder for this plan, or resume that sweep"
            )
        return store

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Store:
        """Open the folder of a sweep, and remove unfinished files and stale locks.

        Raises
        ------
        FileError
            If there is none, or its plan cannot be read or was changed.
        """
        folder = Path(folder)
        store = cls(folder, _read_plan(folder))
        store.clear()
        return store

    def clear(self) -> None:
        """Remove unfinished files and locks of processes that have ended."""
        clear_unfinished_files(self.folder / "shards", self.folder / "locks")
        clear_stale_locks(self.folder / "locks")

    # -- shards -------------------------------------------------------------------------------------------------------

    def shard(self, number: int) -> Path:
        """Path of the shard of a block, whether it exists or not."""
        return self.folder / "shards" / f"{number:07d}.h5"

    def write(self, block: Block) -> None:
        """Write a block as its shard atomically; an existing one is replaced.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        number = block.start // self.plan.block
        if (block.start, block.stop) != self.plan.span(number):
            raise ValueError(f"points {block.start} to {block.stop} are no block of the plan")
        head = write_shard(self.shard(number), block, self.plan.digest)
        self.faults.pop(number, None)
        self._known[number] = head.stamp, head

    def head(self, number: int) -> Head | None:
        """The head of the shard of a block after verification; None if it is missing or not valid.

        A shard is verified when it is first needed, and again when the file has changed.
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
        """Whether a block is done: its shard exists, is valid and belongs to this plan."""
        return self.head(number) is not None

    def read(self, number: int) -> Block:
        """Read a block, bit for bit as it was written.

        Raises
        ------
        FileError
            If it is missing or not valid.
        """
        if not self.has(number):
            raise FileError(self.faults.get(number, f"{self.shard(number)} is missing"))
        return read_shard(self.shard(number), *self.plan.span(number))

    def missing(self) -> list[int]:
        """Blocks that are not done, those with an invalid shard among them."""
        return [number for number in range(self.plan.blocks) if not self.has(number)]

    def failed(self) -> list[int]:
        """Blocks that are done and hold points that failed."""
        return [number for number, head in self.heads() if head is not None and head.counts[FAILED]]

    def heads(self) -> Iterator[tuple[int, Head | None]]:
        """Every block with the head of its shard."""
        for number in range(self.plan.blocks):
            yield number, self.head(number)

    def remove(self, number: int) -> None:
        """Remove the shard of a block, so that it is computed again.

        Raises
        ------
        FileError
            If the system refuses.
        """
        try:
            self.shard(number).unlink(missing_ok=True)
        except OSError as error:
            raise FileError(f"cannot remove {self.shard(number)}: {(error.strerror or str(error)).lower()}") from error
        self.faults.pop(number, None)
        self._known.pop(number, None)

    # -- locks --------------------------------------------------------------------------------------------------------

    def lock(self, number: int) -> bool:
        """Lock a block for this process; False if another process that may be running holds the lock."""
        return self._locks.lock(number)

    def unlock(self, number: int) -> None:
        """Release the lock on a block."""
        self._locks.unlock(number)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file atomically; raises ``FileError``."""
    data = (json.dumps(content, indent=1) + "\n").encode()
    with replacing(path, writer=process_name()) as descriptor:
        write_all(descriptor, memoryview(data))


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises
    ------
    FileError
        If it cannot be read or is not JSON.
    """
    try:
        if not os.path.isfile(path):
            raise FileError(f"cannot read {path}: there is no such file")
        with path.open("rb") as file:
            data = file.read(MAX_TEXT + 1)
        if len(data) > MAX_TEXT:
            raise FileError(f"{path}: larger than {size_text(MAX_TEXT)}; no file of a sweep is that large")
        return json.loads(data)
    except OSError as error:
        raise FileError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: damaged or cut short: this is not JSON") from error


def _read_plan(folder: Path) -> Plan:
    path = folder / PLAN
    if not os.path.exists(path):
        raise FileError(f"{folder} is not the folder of a sweep: it has no {PLAN}")
    document = read_json(path)
    try:
        return Plan.from_json(document)
    except IontideError as error:
        raise FileError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise FileError(f"{path}: damaged, or written by another version of iontide ({error!r:.200})") from error


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds other files."""
    try:
        names = {entry.name for entry in os.scandir(folder) if not entry.name.startswith(".")}
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise FileError(f"{folder} is a file; name a folder for the sweep") from None
    except OSError as error:
        raise FileError(f"cannot read {folder}: {(error.strerror or str(error)).lower()}") from error
    if names - _KNOWN_FILES:
        raise FileError(
            f"{folder} holds other files ({', '.join(sorted(names - _KNOWN_FILES)[:3])}) and no {PLAN}; "
            "name a new or empty folder for the sweep"
        )


def _differences(old: Plan, new: Plan) -> list[str]:
    """How two plans differ, for a person."""
    pairs = [
        ("points", old.size, new.size),
        ("points in a block", old.block, new.block),
        ("design", old.design_name, new.design_name),
        ("seed", old.seed, new.seed),
        ("keep", ", ".join(old.keep), ", ".join(new.keep)),
        ("varied", ", ".join(a.path for a in old.axes), ", ".join(a.path for a in new.axes)),
        ("units", ", ".join(a.unit for a in old.axes), ", ".join(a.unit for a in new.axes)),
    ]
    differences = [f"{what}: {before} there, {now} here" for what, before, now in pairs if before != now]
    return [
        *(differences or ["the scenario, the values or the constraints differ"]),
        f"digest: {old.digest[:12]} there, {new.digest[:12]} here",
    ]
