"""A small product that uses every kind of port, name and network that the twin knows of."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from readycheck.profile import Profile
from readycheck.profile_file import parse
from readycheck.twin.loopback import serving
from readycheck.twin.offer import Offer, read_offer
from readycheck.twin.remap import Remap
from readycheck.twin.scenarios import SCENARIOS, draw

_TEXT = b"""
schema_version = 1
name = "small"
title = "Small product"
revision = "1"
checked = 2026-01-01

[documents.guide]
title = "Guide"
publisher = "Vendor"
revision = "1"

[[roles]]
name = "phone"
title = "Phone"
default = true

[[roles]]
name = "gateway"
title = "Gateway"

[placeholders.clock]
title = "Time server"
example = "clock.customer.example"

[[controls]]
host = "control.example.net"
port = 3478
transport = "udp"
purpose = "STUN elsewhere"

[networks.service]
title = "Service"
networks = ["23.89.0.0/16", "199.19.199.0/24", "2001:db8::/32"]
source = { document = "guide", section = "1" }

[networks.nodes]
title = "Nodes"
networks = ["3.20.185.219/32"]
source = { document = "guide", section = "1" }

[names.web]
title = "Web"
source = { document = "guide", section = "2" }
[[names.web.domains]]
pattern = "*.vendor.example"
representatives = ["web.vendor.example", "api.vendor.example"]

[names.push]
title = "Push"
source = { document = "guide", section = "2" }
[[names.push.domains]]
pattern = "push.third-party.example"

[[requirements]]
id = "sip"
title = "SIP"
area = "signalling"
importance = "required"
roles = ["phone"]
transport = "tcp"
ports = ["8934"]
targets = { networks = ["service"] }
probe = "sip"
pinned = true
source = { document = "guide", section = "1" }

[[requirements]]
id = "trunk"
title = "Trunk"
area = "signalling"
importance = "required"
roles = ["gateway"]
transport = "tcp"
ports = ["9962"]
condition = "certificate-based trunk"
targets = { networks = ["service"] }
probe = "sip"
source = { document = "guide", section = "1" }

[[requirements]]
id = "push"
title = "Push"
area = "signalling"
importance = "recommended"
roles = ["phone"]
transport = "tcp"
ports = ["443"]
targets = { names = ["push"], hosts = ["192.0.2.7", "{clock}"] }
probe = "tls"
source = { document = "guide", section = "1" }

[[requirements]]
id = "web"
title = "Web"
area = "signalling"
importance = "required"
roles = ["phone"]
transport = "tcp"
ports = ["443"]
targets = { names = ["web"] }
probe = "http"
params = { scheme = "https" }
pinned = true
source = { document = "guide", section = "1" }

[[requirements]]
id = "configuration"
title = "Configuration"
area = "signalling"
importance = "required"
roles = ["phone"]
transport = "tcp"
ports = ["443", "80", "20000-20500"]
targets = { networks = ["nodes"] }
probe = "tcp"
source = { document = "guide", section = "1" }

[[requirements]]
id = "stun"
title = "STUN"
area = "media reachability"
importance = "required"
roles = ["phone"]
transport = "udp"
ports = ["5004", "9000"]
targets = { networks = ["service"] }
probe = "stun"
source = { document = "guide", section = "1" }

[[requirements]]
id = "media"
title = "Media"
area = "media reachability"
importance = "required"
roles = ["phone"]
transport = "udp"
ports = ["19560-65535", "19560-19660"]
targets = { networks = ["service"] }
probe = "rtp"
source = { document = "guide", section = "1" }

[[requirements]]
id = "names"
title = "Names"
area = "names and time"
importance = "required"
roles = ["phone"]
transport = "udp"
ports = ["53"]
targets = { resolvers = true }
probe = "dns"
params = { names = ["_sips._tcp.vendor.example", "extra.vendor.example"] }
source = { document = "guide", section = "1" }

[[requirements]]
id = "time"
title = "Time"
area = "names and time"
importance = "required"
roles = ["phone"]
transport = "udp"
ports = ["123"]
targets = { networks = ["service"] }
probe = "ntp"
source = { document = "guide", section = "1" }

[[requirements]]
id = "inbound"
title = "Inbound"
area = "signalling"
importance = "required"
roles = ["gateway"]
direction = "inbound"
transport = "tcp"
ports = ["1234"]
untestable = "from here"
source = { document = "guide", section = "1" }
"""


@pytest.fixture(scope="session")
def profile() -> Profile:
    return parse(_TEXT, "small.toml")


@pytest.fixture(scope="session")
def offer(profile: Profile) -> Offer:
    return read_offer(profile)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the servers of `remap` keep their certificates."""
    return tmp_path_factory.mktemp("cloud")


@pytest.fixture(scope="session")
def remap(offer: Offer, folder: Path) -> Iterator[Remap]:
    """Real servers on loopback, with nothing wrong."""
    with serving(draw(offer, SCENARIOS["none"], seed=1, ratio=1.0), folder) as remap:
        yield remap
