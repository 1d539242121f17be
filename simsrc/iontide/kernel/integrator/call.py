"""Call machine code by an address known only at run time, from compiled code.

numba caches a function by what it names; an address is data. So one cached integrator serves every model.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def call(typingctx, address, arrays):
    """``address(double*, …)`` on the data of a tuple of contiguous float64 arrays; returns nothing."""
    if not isinstance(address, types.Integer) or not all(
        isinstance(a, types.Array) and a.dtype == types.float64 and a.layout == "C" for a in arrays
    ):
        return None
    signature = types.void(address, arrays)

    def generate(context, builder, sig, args):
        pointer = ir.IntType(8).as_pointer()
        data = []
        for i, kind in enumerate(sig.args[1]):
            array = context.make_array(kind)(context, builder, value=builder.extract_value(args[1], i))
            data.append(builder.bitcast(array.data, pointer))
        function = ir.FunctionType(ir.VoidType(), [pointer] * len(data))
        builder.call(builder.inttoptr(args[0], function.as_pointer()), data)
        return context.get_dummy_value()

    return signature, generate
