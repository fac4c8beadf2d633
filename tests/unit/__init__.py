"""Units: one file of tests per room of the library, under the same name."""
