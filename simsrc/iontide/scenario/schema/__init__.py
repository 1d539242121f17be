"""The form of a scenario file: its tables and keys, and the kinds of quantity in them."""
