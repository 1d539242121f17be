"""The scenario being checked: parameters, quantities and the names that a formula may use at each place."""
