"""The stand-in world: a product's cloud built from its profile on this machine, and the agent run in it."""
