"""The rewrite engine, every rule of every pass, and the passes together."""
