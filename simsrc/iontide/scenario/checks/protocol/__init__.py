"""Rules for the course of a run: protocol entries, clamps, events, the recording."""
