"""The models that are timed, written once in unigrad."""
