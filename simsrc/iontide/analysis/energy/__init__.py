"""Energy over a run: what each pathway dissipates, what pumps and the rig pay, what is stored, and how it balances.

Plain NumPy from the model and the samples, by the laws but not through the tape: it is an audit as well. Only the rates
of the states, from which the change of the stored energy is computed, are those of the equations that were run.
"""

from .balance import Energetics, energetics, power_terms
from .budget import budget
from .terms import Power, PumpPower

__all__ = ["Energetics", "Power", "PumpPower", "budget", "energetics", "power_terms"]
