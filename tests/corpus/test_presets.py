"""The values of presets on each platform: what its benchmark names there."""

from __future__ import annotations

import jsonschema
import pytest

from openwatch.engine.rules import yaml
from openwatch.engine.rules.corpus import VariablesFile
from openwatch.engine.rules.variables import preset, resolve
from openwatch.engine.snapshot import Platform
from tests.corpus.cases import corpus

PLATFORMS = {
    "debian 12": (12,), "debian 13": (13,), "ubuntu 22.04": (22, 4), "ubuntu 24.04": (24, 4),
    "rhel 8": (8, 10), "rhel 9": (9, 4), "rhel 10": (10, 0), "sles 15": (15, 6),
}  # fmt: skip


def values(name: str, variable: str) -> dict[str, object]:
    """Return the value of a variable on each platform; where the preset has none, its default."""
    found: dict[str, object] = {}
    for platform, version in PLATFORMS.items():
        family = platform.split()[0]
        host = Platform(family, family, platform.split()[1], platform, version)
        layers = (preset(corpus().variables, name),)
        found[platform] = resolve(corpus().variables, layers, host)[variable].value
    return found


@pytest.mark.ac("variables-07")
@pytest.mark.parametrize(
    ("name", "variable", "usual", "others"),
    [
        ("stig", "gnome_lock_seconds", 5, {"ubuntu 22.04": 0, "ubuntu 24.04": 0}),
        ("stig", "gnome_idle_seconds", 600, {"ubuntu 22.04": 900, "sles 15": 900}),
        ("stig", "shell_timeout_seconds", 600, {"ubuntu 22.04": 900}),
        ("stig", "lockout_attempts", 3, {}),
        (
            "cis",
            "lockout_attempts",
            5,
            dict.fromkeys(("debian 12", "debian 13", "ubuntu 22.04", "ubuntu 24.04"), 4),
        ),
        ("cis", "audit_log_megabytes", 6, {"rhel 8": 8, "rhel 10": 8}),
        (
            "stig",
            "sudo_timeout_minutes",
            15,
            dict.fromkeys(("rhel 8", "rhel 9", "rhel 10", "sles 15"), 0),
        ),
        ("cis", "sudo_timeout_minutes", 15, {}),
        ("cis", "ssh_client_alive_count", 3, dict.fromkeys(("rhel 8", "rhel 9", "rhel 10"), 1)),
    ],
)
def test_a_preset_follows_the_benchmark_of_the_platform(
    name: str, variable: str, usual: int, others: dict[str, int]
) -> None:
    assert values(name, variable) == dict.fromkeys(PLATFORMS, usual) | others


def test_the_variables_are_as_their_schema_says() -> None:
    directory = corpus().directory
    assert directory
    document = yaml.parse((directory / "variables.yml").read_text("utf-8"))
    jsonschema.validate(document, VariablesFile.model_json_schema())
    document["variables"]["lockout_attempts"]["presets"]["cis"][0]["platforms"] = "debian"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, VariablesFile.model_json_schema())
