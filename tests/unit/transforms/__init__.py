"""Tests of derivatives: graph to graph, and as users ask for them."""
