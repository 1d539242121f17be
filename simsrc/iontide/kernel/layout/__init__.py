"""The numbers of the method, and where each array of a run lies for compiled code."""
