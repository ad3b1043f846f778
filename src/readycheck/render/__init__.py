"""Report -> text, JSON, Markdown, HTML, JUnit, Nagios, Prometheus, CSV. Each format is loaded when it is used."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING

from readycheck.errors import UsageError

if TYPE_CHECKING:
    from readycheck.report import Report

Renderer = Callable[["Report"], str]

_MODULES = {
    "text": "text",
    "json": "document",
    "markdown": "markdown",
    "html": "page",
    "junit": "junit",
    "nagios": "nagios",
    "prometheus": "prometheus",
    "csv": "spreadsheet",
}
_ENDINGS = {
    ".json": "json",
    ".md": "markdown",
    ".html": "html",
    ".xml": "junit",
    ".prom": "prometheus",
    ".csv": "csv",
    ".txt": "text",
}


def _lazily(module: str) -> Renderer:
    def render(report: "Report") -> str:
        text: str = import_module(f"readycheck.render.{module}").render(report)
        return text

    return render


FORMATS: Mapping[str, Renderer] = MappingProxyType(
    {name: _lazily(module) for name, module in _MODULES.items()}
)


def format_of(path: str | PurePath) -> str:
    """The format that a file's ending asks for."""
    ending = PurePath(path).suffix.lower()
    if ending not in _ENDINGS:
        raise UsageError(f"--output {path}: the ending is none of {' '.join(_ENDINGS)}")
    return _ENDINGS[ending]
