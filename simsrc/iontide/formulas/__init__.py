"""The formula language of scenarios and its units: parsing, dimensions, evaluation."""
