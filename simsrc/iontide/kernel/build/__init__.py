"""The compiled integrators as object files: compiled by numba once, stored, checked and loaded."""
