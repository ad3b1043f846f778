"""The profiles that come with readycheck: one TOML file for each product."""
