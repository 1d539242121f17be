"""The compiled integrators as object files: compiled by numba once, kept, checked and loaded."""
