"""Every target against the convention: the same value and gradient at every listed point."""
