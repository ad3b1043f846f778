"""Two runs side by side: what changed, and what else changed with it."""
