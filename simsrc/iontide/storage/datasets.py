"""Datasets of a result file, texts included: always chunked, compressed and with checksums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

#: Name of the format of a result file of a run, and version of its layout.
FORMAT, FORMAT_VERSION = "iontide-trajectory", 2

#: gzip and shuffle are in every HDF5 library; with the checksum a flipped bit is an error, not a wrong result.
FILTERS: dict[str, Any] = {"compression": "gzip", "compression_opts": 4, "shuffle": True, "fletcher32": True}


def write_array(group: h5py.Group, name: str, values: NDArray, **attributes: str) -> h5py.Dataset:
    """Write a small array as a dataset of one chunk."""
    chunks = tuple(max(1, length) for length in values.shape)
    dataset = group.create_dataset(
        name, data=values, chunks=chunks, maxshape=tuple(max(1, n) for n in values.shape), **FILTERS
    )
    dataset.attrs.update(attributes)
    return dataset


def write_texts(group: h5py.Group, name: str, texts: Sequence[str]) -> None:
    """Write UTF-8 strings of fixed length: HDF5 stores those of variable length in a heap without checksum."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    length = max([1, *map(len, encoded)])
    write_array(group, name, np.array(encoded, dtype=h5py.string_dtype("utf-8", length)))


def write_text(group: h5py.Group, name: str, text: str) -> None:
    """Write a dataset of one string."""
    write_texts(group, name, [text])
