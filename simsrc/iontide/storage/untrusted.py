"""Reading from a file that is not trusted: nothing is allocated, followed or decoded before it was looked at.

A result file is made of plain chunked datasets behind hard links, with the filters shuffle, gzip and fletcher32. What
is anything else (links to elsewhere, external storage, virtual datasets, other filters, chunks that are missing or
larger than they can be) is refused, for HDF5 would follow it. Attributes that are texts are for people and are never
read here: they stand in HDF5's global heap, which has no checksum, and one flipped bit in it sends HDF5 into an
endless loop.
"""

from __future__ import annotations

import math
import os
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import FileError

#: No data shrink further than this under deflate, whose limit is 1032 to 1.
MAX_RATIO = 1100

#: Largest chunk, bytes, that is inflated unseen, and largest text.
MAX_CHUNK = 1 << 20
MAX_TEXT = 64 << 20

_FILTERS = {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32}


class Checked:
    """A file open for reading; every fault is a ``FileError`` of one sentence that opens with the file's name.

    Parameters
    ----------
    file : h5py.File
    name : str
        The file, as the user gave it.
    size : int
        Its length, bytes.
    """

    def __init__(self, file: h5py.File, name: str, size: int) -> None:
        self._file, self._name, self._size = file, name, size

    def fault(self, sentence: str) -> FileError:
        return FileError(f"{self._name}: {sentence}")

    def number(self, path: str, name: str, kind: type[int] | type[float]) -> Any:
        """An attribute that must be one number."""
        owner = self._object(path, h5py.Group)
        where = f"the attribute {name} of {path}"
        if name not in owner.attrs:
            raise self.fault(f"{where} is missing")
        described = owner.attrs.get_id(name)
        if described.shape != ():
            raise self.fault(f"{where} is not a single value")
        if described.dtype.kind not in {int: "iu", float: "f"}[kind]:
            raise self.fault(f"{where} is not {'a whole' if kind is int else 'a floating-point'} number")
        value = kind(owner.attrs[name])
        if kind is float and not math.isfinite(value):
            raise self.fault(f"{where} is not finite")
        return value

    def length(self, path: str) -> int:
        """Rows of a dataset."""
        return int(self._dataset(path).shape[0])

    def array(self, path: str, dtype: str, shape: tuple[int | None, ...], row: int | None = None) -> NDArray:
        """A dataset of exactly this type and shape, or one row of it.

        Parameters
        ----------
        shape : tuple of int or None
            None: any length.
        row : int, optional
            Read this one only; the others are then neither read nor verified.
        """
        dataset = self._dataset(path)
        if dataset.dtype != np.dtype(dtype):
            raise self.fault(f"{path} has the type {dataset.dtype}, not {np.dtype(dtype)}")
        if len(dataset.shape) != len(shape) or any(
            want is not None and has != want for has, want in zip(dataset.shape, shape, strict=True)
        ):
            wanted = " x ".join("any" if n is None else str(n) for n in shape)
            raise self.fault(f"{path} has the shape {dataset.shape}, due is {wanted}")
        self._verify_storage(dataset, path)
        if row is not None:
            return dataset[row]
        values = np.empty(dataset.shape, dtype=dataset.dtype)
        if values.size:
            dataset.read_direct(values)
        return values

    def texts(self, path: str, count: int | None = None) -> list[str]:
        """The strings of a dataset of texts."""
        dataset = self._dataset(path)
        described = h5py.check_string_dtype(dataset.dtype)
        if described is None or described.length is None or len(dataset.shape) != 1:
            raise self.fault(f"{path} is not a list of texts")
        if count is not None and dataset.shape[0] != count:
            raise self.fault(f"{path} holds {dataset.shape[0]} texts, due are {count}")
        if dataset.shape[0] * dataset.dtype.itemsize > MAX_TEXT:
            raise self.fault(f"{path} is longer than any text of a result file")
        self._verify_storage(dataset, path, most=MAX_TEXT)
        if not dataset.shape[0]:
            return []
        try:
            return [bytes(text).decode("utf-8", "surrogatepass") for text in dataset[()]]
        except UnicodeDecodeError:
            raise self.fault(f"{path} is not text in UTF-8") from None

    def text(self, path: str) -> str:
        """The string of a dataset of one text."""
        return self.texts(path, 1)[0]

    def has(self, path: str) -> bool:
        """Whether a dataset or group stands there, behind whatever link."""
        parent, _, name = path.rpartition("/")
        return name in self._object(parent or "/", h5py.Group)

    def _dataset(self, path: str) -> h5py.Dataset:
        return self._object(path, h5py.Dataset)

    def _object(self, path: str, kind: type) -> Any:
        """What stands at a path; every step must be a hard link, for the others lead out of the file."""
        found: Any = self._file
        for step in [s for s in path.split("/") if s]:
            if not isinstance(found, h5py.Group) or step not in found:
                raise self.fault(f"{path} is missing")
            if not isinstance(found.get(step, getlink=True), h5py.HardLink):
                raise self.fault(f"{path} is a link that leads elsewhere, which is not followed")
            found = found[step]
        if not isinstance(found, kind):
            raise self.fault(f"{path} is not a {kind.__name__.lower()}")
        return found

    def _verify_storage(self, dataset: h5py.Dataset, path: str, most: int = MAX_CHUNK) -> None:
        """The declared size must be there in the file, in whole chunks, with checksums, and fit into memory."""
        layout = dataset.id.get_create_plist()
        if layout.get_layout() != h5py.h5d.CHUNKED or layout.get_external_count():
            raise self.fault(f"{path} is not stored in chunks of this file")
        filters = {layout.get_filter(i)[0] for i in range(layout.get_nfilters())}
        if filters != _FILTERS:
            raise self.fault(f"{path} is not stored with the filters shuffle, gzip and fletcher32")
        chunk = math.prod(dataset.chunks) * dataset.dtype.itemsize
        if chunk > most:
            raise self.fault(f"{path} declares chunks of {chunk} bytes, at most {most} are read")
        due = math.prod(math.ceil(n / c) for n, c in zip(dataset.shape, dataset.chunks, strict=True))
        declared = math.prod(dataset.shape) * dataset.dtype.itemsize
        stored = dataset.id.get_storage_size()
        if stored > self._size or declared > MAX_RATIO * stored + chunk:
            raise self.fault(f"{path} declares {declared} bytes, more than the file can hold")
        if declared > physical_memory():
            raise self.fault(f"{path} needs {declared} bytes of memory, more than this machine has")
        if dataset.id.get_num_chunks() != due:
            raise self.fault(f"{path} is incomplete: a part of its data is missing")
        last_filter = 1 << layout.get_nfilters() - 1
        # Deflate adds little to what it cannot shrink; a chunk that is longer would inflate without limit.
        longest = chunk + chunk // 64 + 64

        def look(chunk_info: Any) -> None:
            if chunk_info.filter_mask & last_filter:
                faults.append("lacks the checksum of a chunk")
            if chunk_info.size > longest or chunk_info.byte_offset + chunk_info.size > self._size:
                faults.append("has a chunk that is larger than it can be")

        faults: list[str] = []
        dataset.id.chunk_iter(look)
        if faults:
            raise self.fault(f"{path} {faults[0]}")


def physical_memory() -> int:
    """Bytes of memory of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
