"""A backend from outside: a package of its own, and what it proves."""
