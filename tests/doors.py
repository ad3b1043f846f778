"""A profile of one door: a TCP port of this host."""

DOOR = """
schema_version = 1
name = "{name}"
title = "Door"
revision = "1"
checked = 2026-01-01

[documents.guide]
title = "Guide"
publisher = "Vendor"
revision = "1"

[[roles]]
name = "app"
title = "App"
default = true

[[requirements]]
id = "door"
title = "Door"
area = "signalling"
importance = "required"
roles = ["app"]
transport = "tcp"
ports = ["{port}"]
targets = {{ hosts = ["127.0.0.1"] }}
probe = "tcp"
source = {{ document = "guide", section = "1" }}
"""
