"""Reading from an untrusted file: nothing is allocated, followed or decoded before it has been checked.

A result file consists of chunked datasets behind hard links, with the filters shuffle, gzip and fletcher32. Anything
else (other links, external storage, virtual datasets, other filters, chunks that are missing or impossibly large) is
refused, because HDF5 would follow it. Text attributes are for other programs and are never read here: HDF5 stores them
in its global heap, which has no checksum, and one flipped bit there can cause an endless loop.
"""

from __future__ import annotations

import math
import os
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import FileError

#: Largest compression ratio that is accepted; that of deflate is at most 1032.
MAX_RATIO = 1100

#: Largest chunk and largest text that are read, bytes.
MAX_CHUNK = 1 << 20
MAX_TEXT = 64 << 20

_FILTERS = {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32}


class Checked:
    """A file open for reading; every fault is a ``FileError`` of one sentence that begins with the name of the file.

    Parameters
    ----------
    file : h5py.File
    name : str
        Path of the file, as given by the user.
    size : int
        Its length, bytes.
    """

    def __init__(self, file: h5py.File, name: str, size: int) -> None:
        self._file, self._name, self._size = file, name, size

    def fault(self, sentence: str) -> FileError:
        return FileError(f"{self._name}: {sentence}")

    def number(self, path: str, name: str, kind: type[int] | type[float]) -> Any:
        """An attribute that must be a single number."""
        owner = self._object(path, h5py.Group)
        where = f"the attribute {name} of {path}"
        if name not in owner.attrs:
            raise self.fault(f"{where} is missing")
        details = owner.attrs.get_id(name)
        if details.shape != ():
            raise self.fault(f"{where} is not a single value")
        if details.dtype.kind not in {int: "iu", float: "f"}[kind]:
            raise self.fault(f"{where} is not {'a whole' if kind is int else 'a floating-point'} number")
        value = kind(owner.attrs[name])
        if kind is float and not math.isfinite(value):
            raise self.fault(f"{where} is not finite")
        return value

    def length(self, path: str) -> int:
        """Number of rows of a dataset."""
        return int(self._dataset(path).shape[0])

    def array(self, path: str, dtype: str, shape: tuple[int | None, ...], row: int | None = None) -> NDArray:
        """A dataset of exactly this type and shape, or one row of it.

        Parameters
        ----------
        shape : tuple of int or None
            Expected lengths; None: any length.
        row : int, optional
            Read only this row; the others are then neither read nor verified.
        """
        dataset = self._dataset(path)
        if dataset.dtype != np.dtype(dtype):
            raise self.fault(f"{path} has the type {dataset.dtype}, not {np.dtype(dtype)}")
        if len(dataset.shape) != len(shape) or any(
            want is not None and has != want for has, want in zip(dataset.shape, shape, strict=True)
        ):
            wanted = " x ".join("any" if n is None else str(n) for n in shape)
            raise self.fault(f"{path} has the shape {dataset.shape}, expected {wanted}")
        self._verify_storage(dataset, path)
        if row is not None:
            return dataset[row]
        values = np.empty(dataset.shape, dtype=dataset.dtype)
        if values.size:
            dataset.read_direct(values)
        return values

    def texts(self, path: str, count: int | None = None) -> list[str]:
        """The strings of a dataset of strings."""
        dataset = self._dataset(path)
        details = h5py.check_string_dtype(dataset.dtype)
        if details is None or details.length is None or len(dataset.shape) != 1:
            raise self.fault(f"{path} is not a list of texts")
        if count is not None and dataset.shape[0] != count:
            raise self.fault(f"{path} contains {dataset.shape[0]} texts, expected {count}")
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
        """The string of a dataset of one string."""
        return self.texts(path, 1)[0]

    def has(self, path: str) -> bool:
        """Whether there is a dataset or group at this path, reached by any kind of link."""
        parent, _, name = path.rpartition("/")
        return name in self._object(parent or "/", h5py.Group)

    def _dataset(self, path: str) -> h5py.Dataset:
        return self._object(path, h5py.Dataset)

    def _object(self, path: str, kind: type) -> Any:
        """The object at a path; every link must be a hard link, because others may point out of the file."""
        node: Any = self._file
        for step in [s for s in path.split("/") if s]:
            if not isinstance(node, h5py.Group) or step not in node:
                raise self.fault(f"{path} is missing")
            if not isinstance(node.get(step, getlink=True), h5py.HardLink):
                raise self.fault(f"{path} is not a hard link, and other links are not followed")
            node = node[step]
        if not isinstance(node, kind):
            raise self.fault(f"{path} is not a {kind.__name__.lower()}")
        return node

    def _verify_storage(self, dataset: h5py.Dataset, path: str, most: int = MAX_CHUNK) -> None:
        """Check that a dataset is complete in the file, in whole chunks with checksums, and fits into memory."""
        layout = dataset.id.get_create_plist()
        if layout.get_layout() != h5py.h5d.CHUNKED or layout.get_external_count():
            raise self.fault(f"{path} is not stored in chunks of this file")
        filters = {layout.get_filter(i)[0] for i in range(layout.get_nfilters())}
        if filters != _FILTERS:
            raise self.fault(f"{path} is not stored with the filters shuffle, gzip and fletcher32")
        chunk = math.prod(dataset.chunks) * dataset.dtype.itemsize
        if chunk > most:
            raise self.fault(f"{path} declares chunks of {chunk} bytes, at most {most} are read")
        expected = math.prod(math.ceil(n / c) for n, c in zip(dataset.shape, dataset.chunks, strict=True))
        declared = math.prod(dataset.shape) * dataset.dtype.itemsize
        stored = dataset.id.get_storage_size()
        if stored > self._size or declared > MAX_RATIO * stored + chunk:
            raise self.fault(f"{path} declares {declared} bytes, more than the file can contain")
        if declared > physical_memory():
            raise self.fault(f"{path} needs {declared} bytes of memory, more than this machine has")
        if dataset.id.get_num_chunks() != expected:
            raise self.fault(f"{path} is incomplete: some of its chunks are missing")
        last_filter = 1 << layout.get_nfilters() - 1
        # Deflate enlarges incompressible data only a little; the output of a longer chunk would be unlimited.
        longest = chunk + chunk // 64 + 64

        def check(chunk_info: Any) -> None:
            if chunk_info.filter_mask & last_filter:
                faults.append("lacks the checksum of a chunk")
            if chunk_info.size > longest or chunk_info.byte_offset + chunk_info.size > self._size:
                faults.append("has a chunk that is larger than it can be")

        faults: list[str] = []
        dataset.id.chunk_iter(check)
        if faults:
            raise self.fault(f"{path} {faults[0]}")


def physical_memory() -> int:
    """Bytes of memory of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
