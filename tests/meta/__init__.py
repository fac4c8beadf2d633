"""Tests of the checkers themselves: a planted mistake must be reported."""
