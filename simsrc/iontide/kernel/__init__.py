"""The compiled part: tapes to machine code, and the integrator that runs them. numba and llvmlite live here only."""
