"""The commands: thin, one module each."""
