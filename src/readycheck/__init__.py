"""Network readiness for cloud calling, meetings and PBX products."""

__version__ = "0.1.0"
