"""The few errors that a person is meant to read; everything else is data or a bug."""


class ReadycheckError(Exception):
    """One clear line for stderr; the command ends with status 3."""


class UsageError(ReadycheckError):
    """An option or argument cannot be used."""


class ProfileError(ReadycheckError):
    """A profile cannot be used; the text names file, table and key."""


class ProbeLoadError(ReadycheckError):
    """A probe plug-in could not be loaded; the text names the distribution and the reason."""
