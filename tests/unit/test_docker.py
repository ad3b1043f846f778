"""The image's files, as far as they can be judged without a container engine; CI runs their install steps."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docker"

KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT", "CMD"}


@dataclass(frozen=True)
class Instruction:
    word: str
    rest: str


def read_dockerfile() -> list[Instruction]:
    text = re.sub(r"(?m)^\s*#.*\n", "", (FOLDER / "Dockerfile").read_text())
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [Instruction(*line.split(maxsplit=1)) for line in lines]


def stages() -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for instruction in read_dockerfile():
        if instruction.word == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def of(word: str, instructions: list[Instruction]) -> list[str]:
    return [one.rest for one in instructions if one.word == word]


def test_instructions_are_known() -> None:
    assert {one.word for one in read_dockerfile()} <= KNOWN


def test_there_is_a_stage_to_build_and_one_to_run() -> None:
    assert len(stages()) == 2
    last = stages()[-1]
    assert [rest.split()[0] for rest in of("COPY", last)] == ["--from=build"], "only what was built goes in"
    assert "pip" not in " ".join(of("RUN", last))


def test_base_images_have_a_version() -> None:
    for stage in stages():
        image = of("FROM", stage)[0].split()[0]
        assert ":" in image and not image.endswith(":latest"), image


def test_the_agent_is_not_root() -> None:
    last = stages()[-1]
    users = of("USER", last)
    assert users and re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", users[-1]), (
        "a number, so that a cluster can check it"
    )
    assert [one.word for one in last].index("USER") > max(
        index for index, one in enumerate(last) if one.word == "RUN"
    )


def test_package_lists_are_not_kept() -> None:
    for instruction in read_dockerfile():
        if "apt-get install" in instruction.rest:
            assert "apt-get update" in instruction.rest, "in the same layer, or it is stale"
            assert "--no-install-recommends" in instruction.rest
            assert "rm -rf /var/lib/apt/lists/*" in instruction.rest


def test_every_file_that_is_copied_is_there_and_not_ignored() -> None:
    ignore = (ROOT / ".dockerignore").read_text().split()
    assert ignore[0] == "*", "nothing gets in unasked"
    for rest in of("COPY", stages()[0]):
        for source in rest.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignore, f"{source} does not reach the image"


def test_python_packages_come_from_the_locks_only() -> None:
    script = FOLDER / "install.sh"
    assert os.access(script, os.X_OK)
    for line in script.read_text().replace("\\\n", " ").splitlines():
        if "pip install" in line:
            assert "--require-hashes" in line or "--no-deps" in line, line


def test_the_image_can_tell_people_and_store_in_a_database_of_all() -> None:
    assert "requirements-image.lock" in (FOLDER / "install.sh").read_text()
    program, image = (_locked(f"requirements{kind}.lock") for kind in ("", "-image"))
    everything = _locked("requirements-dev.lock")
    assert program.items() <= image.items() <= everything.items()
    assert {"apprise", "pg8000", "pyspnego", "opentelemetry-proto"} <= set(image)
    assert not {"scapy", "av"} & set(image)


def _locked(file: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([a-z0-9._-]+)==([^ ]+)", (ROOT / file).read_text()))


@pytest.mark.parametrize("service", ["demo", "demo-namespaces"])
def test_compose_runs_the_demonstration_fenced_in(service: str) -> None:
    compose: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    told = compose["services"][service]
    assert (
        FOLDER / told["build"]["context"] / told["build"]["dockerfile"]
    ).resolve() == FOLDER / "Dockerfile"
    assert not told["image"].endswith(":latest")
    assert told["command"][:2] == ["demo", "webex-calling"]
    assert told["network_mode"] == "none", "the stand-in world needs no network"
    assert told["cap_drop"] == ["ALL"] and "cap_add" not in told
    assert "no-new-privileges:true" in told["security_opt"]
    assert told["read_only"] and not told.get("privileged")


def test_only_the_fenced_in_service_runs_unasked() -> None:
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    assert [name for name, told in services.items() if "profiles" not in told] == ["demo"]
    assert "--loopback" in services["demo"]["command"]
    assert services["demo"]["security_opt"] == ["no-new-privileges:true"]


def test_the_responder_sees_addresses_as_they_are_and_is_fenced_in() -> None:
    told = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]["responder"]
    assert told["command"][0] == "responder"
    assert told["network_mode"] == "host", "a translated address is of no use to an agent"
    assert told["cap_drop"] == ["ALL"] and "cap_add" not in told and told["read_only"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert told["mem_limit"] and told["pids_limit"], "a flood fills this, not the host"


def test_the_watch_keeps_its_runs_and_says_how_it_is() -> None:
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    told = compose["services"]["watch"]
    command, check = told["command"], told["healthcheck"]["test"]
    assert {"READYCHECK_ALERT", "READYCHECK_STORE"} <= set(told["environment"]), (
        "arguments are no place for secrets"
    )
    assert command[0] == "watch" and check[:4] == ["CMD", "readycheck", "watch", "--check-health"]
    assert command[command.index("--health") + 1] == check[4]
    assert told["volumes"] == ["home:/home/readycheck"] and "home" in compose["volumes"]
    assert told["cap_drop"] == ["ALL"] and told["read_only"]
