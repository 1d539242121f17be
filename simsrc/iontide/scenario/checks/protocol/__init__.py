"""Rules for what happens in time: protocol entries, clamps, events, the recording."""
