"""The tests: units, conformance to the convention, examples, and tests of the checkers."""
