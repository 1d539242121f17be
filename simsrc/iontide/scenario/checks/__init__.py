"""The rules that a scenario must follow, and the parts of the model that valid tables describe."""
