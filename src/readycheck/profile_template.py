"""The text that a new profile begins with. Pure."""

import json
import re
from datetime import date
from importlib.resources import files

from readycheck.errors import UsageError

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,79}")


def template(name: str, today: date, extends: str = "") -> str:
    """A commented profile of this name, whole or laid over another. Raises `UsageError` for what is no name."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name}: not a name of lower-case letters, digits, dots and hyphens")
    file = "extension_template.toml" if extends else "profile_template.toml"
    text = files("readycheck").joinpath(file).read_text("utf-8")
    title = name.replace("-", " ").capitalize()
    for mark, value in (
        ("@TODAY@", today.isoformat()),
        ('"@BASE@"', json.dumps(extends, ensure_ascii=False)),
        ("@BASE@", " ".join(extends.split())),
        ('"my-product"', json.dumps(name)),
        ('"My product"', json.dumps(title)),
    ):
        text = text.replace(mark, value)
    return text
