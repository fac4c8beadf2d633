"""The definition of every op, in one place each; families supply what ops share."""
