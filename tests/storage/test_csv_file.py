"""Columns of numbers in a CSV file."""

from __future__ import annotations

import numpy as np
import pytest

from iontide.errors import FileError
from iontide.storage.csv_file import write_csv


def test_every_number_can_be_read_back_as_it_was(tmp_path):
    values = np.array([0.1, 1.0 / 3.0, -70.12345678901234, 5e-324, 1.7976931348623157e308, 1e16, -0.0, 2.0])
    path = write_csv(tmp_path / "x.csv", {"V (mV)": values, "n": np.arange(8)})
    header, *rows = path.read_text().splitlines()
    assert header == "V (mV),n"
    assert [float(row.split(",")[0]) for row in rows] == values.tolist()
    assert rows[0] == "0.1,0"
    assert rows[-1] == "2,7"


def test_undefined_numbers_are_empty_and_names_with_commas_quoted(tmp_path):
    path = write_csv(tmp_path / "new" / "x.csv", {"a, b (mM)": np.array([np.nan, np.inf])})
    assert path.read_text() == '"a, b (mM)"\n""\ninf\n'


def test_columns_of_other_lengths_and_places_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(ValueError, match="shorter"):
        write_csv(tmp_path / "x.csv", {"a": np.zeros(2), "b": np.zeros(1)})
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot write"):
        write_csv(tmp_path / "file" / "x.csv", {"a": np.zeros(2)})
