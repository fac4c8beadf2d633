"""The rivals: the same models as a good engineer writes them in each framework."""
