"""From a scenario file to a checked Model: read, validate, resolve."""
