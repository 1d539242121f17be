"""iontide: what ions, volumes and membrane potentials do in time, from a scenario file.

>>> import iontide
>>> trajectory = iontide.run("scenarios/cells_and_tissues/pump_leak_cell.toml")
>>> trajectory.membrane_potential("plasma")[-1]  # V

All numbers are SI; a flux or current is positive outward; a membrane potential is inside minus outside.
"""

import lazy_loader

__version__ = "0.1.0"

# The public names stand in ``__init__.pyi`` alone, for type checkers and at run time; each is imported when first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
