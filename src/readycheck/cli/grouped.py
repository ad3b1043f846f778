"""A command with many options: its help has them under headings, in the order in which they are declared."""

from typing import Any

from typer.core import TyperCommand


class GroupedCommand(TyperCommand):
    """The headings are the options' `rich_help_panel`, which plain help otherwise ignores."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                argument = parameter.param_type_name == "argument"
                heading = getattr(parameter, "rich_help_panel", None)
                name = record[0].removesuffix(" <str>").removesuffix(" <list[str]>")
                groups.setdefault(heading or ("Arguments" if argument else "Help"), []).append(
                    (name, record[1])
                )
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)
