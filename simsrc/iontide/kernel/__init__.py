"""From a tape to a solution: LLVM IR, machine code, and the integrators that numba compiles once on a machine."""
