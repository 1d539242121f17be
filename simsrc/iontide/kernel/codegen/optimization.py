"""LLVM's passes over a module, for the processor of this machine."""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm

_ready = False


def optimized(module: Any) -> tuple[Any, Any]:
    """A module after LLVM's passes for this processor, and the target machine it is for.

    An execution engine owns its target machine: one each, kept alive with the code.
    """
    global _ready
    if not _ready:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        _ready = True
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2, jit=True
    )
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False  # vector stores next to scalar loads stall
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module, machine
