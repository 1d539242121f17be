"""Call machine code by an address known only at run time, from compiled code.

numba caches a function by what it names; an address is data. So one cached integrator serves every model.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def call_tape(typingctx, address, t, y, k, work, out):  # type: ignore[no-untyped-def]
    """``address(t, y, k, work, out)`` on the data of five contiguous float64 arrays; returns nothing."""
    arrays = (t, y, k, work, out)
    if not isinstance(address, types.Integer) or not all(
        isinstance(a, types.Array) and a.dtype == types.float64 and a.layout == "C" for a in arrays
    ):
        return None
    signature = types.void(address, *arrays)

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = ir.IntType(8).as_pointer()
        function = ir.FunctionType(ir.VoidType(), [pointer] * 5)
        target = builder.inttoptr(args[0], function.as_pointer())
        data = [
            builder.bitcast(context.make_array(ty)(context, builder, value=value).data, pointer)
            for ty, value in zip(sig.args[1:], args[1:], strict=True)
        ]
        builder.call(target, data)
        return context.get_dummy_value()

    return signature, generate
