"""Graph to graph: what makes a graph smaller, faster and more accurate without changing its meaning."""
