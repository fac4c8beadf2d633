"""Graph to graph: a smaller, faster, more accurate one of the same meaning."""
