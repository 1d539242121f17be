"""Text about a model or a file: ``iontide info`` and ``iontide laws``."""
