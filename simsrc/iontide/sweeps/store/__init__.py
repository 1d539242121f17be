"""The folder of a sweep: blocks written whole, locks between workers, status, merging."""
