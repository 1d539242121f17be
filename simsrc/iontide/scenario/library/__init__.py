"""Names that a scenario may use: rate laws, transporters, salts, elements."""
