"""The built-in probes, found through the same entry points as anybody's."""
