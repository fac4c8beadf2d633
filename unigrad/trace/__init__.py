"""From a Python function to a graph: traced values, captures, and structures in and out."""
