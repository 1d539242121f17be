"""The commands about electrodes: ``iontide junction`` and ``iontide correct``."""
