"""From a scenario file to a Model: text, schema, checks, library of laws, and the table of a sweep."""
