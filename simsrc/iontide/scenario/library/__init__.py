"""What a scenario may name: rate laws, transporters, salts, elements."""
