"""A profile as large as anybody may write one, as the text of a file."""

from collections.abc import Iterator

REQUIREMENTS, NETWORKS = 10_000, 100_000

_HEAD = """
schema_version = 1
name = "large"
title = "Large"
revision = "1"
checked = 2026-01-01
[documents.doc]
title = "Ports"
publisher = "Example"
revision = "1"
[[roles]]
name = "app"
title = "App"
"""
_ROW = """
[[requirements]]
id = "r{number}"
title = "Requirement {number}"
area = "signalling"
importance = "required"
roles = ["app"]
transport = "tcp"
ports = [{port}]
targets = {{ networks = ["group-{group}"] }}
probe = "tcp"
source = {{ document = "doc", section = "Table {number}" }}
"""


def text(groups: int, requirements: int = REQUIREMENTS, networks: int = NETWORKS) -> bytes:
    """The networks are in so many groups, and each requirement wants one of these."""
    parts = [_HEAD, *_groups(groups, networks)]
    parts += [_ROW.format(number=n, port=1 + n % 65535, group=n % groups) for n in range(requirements)]
    return "".join(parts).encode()


def _groups(groups: int, networks: int) -> Iterator[str]:
    each = networks // groups
    for group in range(groups):
        rows = "".join(f'    "{_network(group * each + n)}",\n' for n in range(each))
        source = 'source = { document = "doc", section = "Networks" }'
        yield f'[networks.group-{group}]\ntitle = "Group {group}"\n{source}\nnetworks = [\n{rows}]\n'


def _network(number: int) -> str:
    return f"{10 + (number >> 16)}.{number >> 8 & 255}.{number & 255}.0/24"
