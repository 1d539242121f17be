"""Activity coefficients that follow the composition and the temperature of a solution.

Each model is a pure function that works on floats, on arrays and on the expressions that the equations are made of.
"""

from .debye_hueckel import debye_hueckel_A, debye_hueckel_B, guarded_root, ionic_strength
from .models import ACTIVITY_MODELS, ActivityModel, Solute, log_gamma, out_of_range
from .pitzer import osmotic_coefficient

__all__ = [
    "ACTIVITY_MODELS",
    "ActivityModel",
    "Solute",
    "debye_hueckel_A",
    "debye_hueckel_B",
    "guarded_root",
    "ionic_strength",
    "log_gamma",
    "osmotic_coefficient",
    "out_of_range",
]
