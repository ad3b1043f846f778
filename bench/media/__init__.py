"""How exact the media figures are, and how much the responder bears: `make bench-media`."""
