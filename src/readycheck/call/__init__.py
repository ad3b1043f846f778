"""A real call to the responder, and the stage at which it fails."""
