"""The report as the JSON document that it is."""

from readycheck.report import Report, dump


def render(report: Report) -> str:
    return dump(report)
