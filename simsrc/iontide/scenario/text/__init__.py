"""The text of a scenario file: lines of keys, messages about faults, limits of size."""
