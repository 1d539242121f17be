"""The commands about sweeps: ``iontide sweep …`` and the figures of ``iontide plot`` that show sweeps."""
