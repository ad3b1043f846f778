"""Stored runs: the report is the record; a summary stays when it is pruned."""
