"""Tapes and the Rosenbrock step printed as LLVM IR, and made into machine code."""
