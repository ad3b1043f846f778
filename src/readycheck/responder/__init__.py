"""The far end of media tests: it answers those who have shown that they are where they say, and nobody else."""
