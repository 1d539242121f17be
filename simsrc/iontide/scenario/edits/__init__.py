"""Changes to a scenario before it is checked: ``--set`` and repeated compartments."""
