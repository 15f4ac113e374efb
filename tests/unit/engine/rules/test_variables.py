"""Site values: typed, in tiers, each with its origin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from openwatch.engine.rules.site import Site, load_site
from openwatch.engine.rules.variables import (
    Layer,
    Tier,
    VariableDefinition,
    command_line,
    preset,
    resolve,
)
from openwatch.engine.snapshot import Platform
from openwatch.kit.errors import OpenWatchError


def definition(**keys: Any) -> VariableDefinition:
    return VariableDefinition.model_validate(
        {"type": "integer", "description": "A number of a test."} | keys
    )


TRIES = definition(default=4, min=1, max=20, stricter="lower", presets={"stig": 3})
DEFINITIONS = {"tries": TRIES, "words": definition(type="list"), "like": definition(type="regex")}


@pytest.mark.ac("variables-01")
def test_the_strongest_tier_counts_whatever_the_order_of_the_layers() -> None:
    layers = [
        Layer(tier, {"tries": number}) for number, tier in enumerate(list(Tier)[1:], start=10)
    ]
    for count in range(len(layers) + 1):
        bound = resolve(DEFINITIONS, layers[:count][::-1])["tries"]
        assert bound.tier is list(Tier)[count]
        assert bound.value == (4 if count == 0 else 9 + count)


@pytest.mark.ac("variables-01")
def test_of_one_tier_the_last_layer_counts() -> None:
    groups = (Layer(Tier.GROUP, {"tries": 5}, "all"), Layer(Tier.GROUP, {"tries": 6}, "web"))
    bound = resolve(DEFINITIONS, groups)["tries"]
    assert (bound.value, str(bound)) == (6, "group web")


@pytest.mark.ac("variables-02")
@pytest.mark.parametrize(("value", "looser"), [(4, False), (3, False), ("5", True)])
def test_a_value_says_that_it_asks_less_than_the_default(value: Any, *, looser: bool) -> None:
    bound = resolve(DEFINITIONS, command_line({"tries": value}))["tries"]
    assert bound.looser is looser
    assert bound.document().get("looser_than_default", False) is looser


@pytest.mark.ac("variables-03")
def test_a_preset_has_the_values_of_a_benchmark() -> None:
    bound = resolve(DEFINITIONS, (preset(DEFINITIONS, "stig"),))["tries"]
    assert (bound.value, str(bound)) == (3, "preset stig")
    with pytest.raises(OpenWatchError, match="there are: stig"):
        preset(DEFINITIONS, "cis")


BY_PLATFORM = definition(
    default=15,
    stricter="lower",
    presets={
        "cis": 9,
        "stig": [
            {"value": 7, "platforms": [{"family": "ubuntu", "min": "22.04", "max": "22.04"}]},
            {"value": 3, "platforms": [{"family": "rhel"}, {"family": "ubuntu", "min": "24.04"}]},
            {"value": 5, "platforms": [{"family": "ubuntu"}]},
        ],
    },
)


def platform(family: str, version_id: str) -> Platform:
    version = tuple(int(part) for part in version_id.split(".") if part)
    return Platform(family, family, version_id, family, version)


@pytest.mark.ac("variables-07")
@pytest.mark.parametrize(
    ("host", "value", "origin"),
    [
        (platform("ubuntu", "22.04"), 7, "preset stig, on ubuntu 22.04"),
        (platform("ubuntu", "24.04"), 3, "preset stig, on rhel; ubuntu 24.04 and later"),
        (platform("ubuntu", "23.10"), 5, "preset stig, on ubuntu"),
        (platform("rhel", ""), 3, "preset stig, on rhel; ubuntu 24.04 and later"),
        (platform("ubuntu", ""), 3, "preset stig, on rhel; ubuntu 24.04 and later"),
        (platform("debian", "12"), 15, "default"),
        (None, 3, "preset stig, on rhel; ubuntu 24.04 and later"),
    ],
)
def test_a_preset_has_the_value_of_the_platform(
    host: Platform | None, value: int, origin: str
) -> None:
    definitions = {"tries": BY_PLATFORM}
    bound = resolve(definitions, (preset(definitions, "stig"),), host)["tries"]
    assert (bound.value, bound.document()["from"]) == (value, origin)
    (known,) = resolve(definitions, (preset(definitions, "cis"),), host).values()
    assert (known.value, str(known)) == (9, "preset cis")


@pytest.mark.ac("variables-07")
def test_without_a_direction_the_first_value_that_may_be_meant_counts() -> None:
    entry = {"value": "a", "platforms": [{"family": "ubuntu", "min": "24.04"}]}
    known = definition(type="text", presets={"stig": [entry, {"value": "b"}]})
    assert [
        resolve({"x": known}, (preset({"x": known}, "stig"),), host)["x"].value
        for host in (platform("ubuntu", ""), platform("debian", "12"))
    ] == ["a", "b"]


@pytest.mark.parametrize("value", [(), ("a", "b")])
def test_a_list_of_words_is_one_value_of_a_preset(value: tuple[str, ...]) -> None:
    known = definition(type="list", presets={"stig": list(value)})
    (bound,) = resolve({"x": known}, (preset({"x": known}, "stig"),)).values()
    assert (bound.value, str(bound)) == (value, "preset stig")


@pytest.mark.ac("variables-04")
@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"tires": 4}, "no such variable"),
        ({"tries": "4 "}, "whole number"),
        ({"tries": "four"}, "whole number"),
        ({"tries": 0}, "at least 1"),
        ({"tries": 21}, "at most 20"),
        ({"words": 4}, "a list"),
        ({"words": "a,,b"}, "empty"),
        ({"like": "("}, "regular expression"),
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, Any], why: str) -> None:
    with pytest.raises(OpenWatchError, match=why):
        resolve(DEFINITIONS, command_line(values))


def test_a_list_is_evidence_as_a_list() -> None:
    bound = resolve(DEFINITIONS, command_line({"words": "a, b"}))["words"]
    assert bound.document() == {"value": ["a", "b"], "from": "command line"}


def test_an_unset_variable_has_no_value() -> None:
    assert resolve(DEFINITIONS).keys() == {"tries"}


@pytest.mark.parametrize(
    "keys",
    [
        {"default": 0, "min": 1},
        {"presets": {"cis": "x"}},
        {"presets": {"cis": [{"value": "x"}]}},
        {"presets": {"cis": [{"value": 4}, {"value": 5}]}},
        {"presets": {"cis": [{"value": 4, "platforms": [{"family": "beos"}]}]}},
        {"presets": {"cis": [{"value": 4}, 5]}},
        {"type": "text", "stricter": "lower"},
        {"type": "regex", "default": "("},
    ],
)
def test_a_definition_is_checked(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        definition(**keys)


SITE = """
preset: stig
variables: {tries: 5}
groups:
  web: {hosts: ["web*", db1], variables: {tries: 6}}
  edge: {hosts: [web2.example.org], variables: {tries: 7}}
hosts:
  DB1: {variables: {tries: 8}}
"""


@pytest.mark.ac("variables-05")
@pytest.mark.parametrize(
    ("host", "value", "origin"),
    [
        ("mail", 5, "organisation"),
        ("web1", 6, "group web"),
        ("WEB2.example.org", 7, "group edge"),
        ("db1", 8, "host DB1"),
    ],
)
def test_a_site_file_has_values_for_groups_and_hosts(
    tmp_path: Path, host: str, value: int, origin: str
) -> None:
    (tmp_path / "site.yml").write_text(SITE)
    bound = resolve(DEFINITIONS, load_site(tmp_path / "site.yml").layers(host))["tries"]
    assert (bound.value, str(bound)) == (value, origin)


@pytest.mark.ac("variables-05")
def test_a_site_file_tells_its_mistakes_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text("variables: {}\ngroup:\n  web: {}\n")
    with pytest.raises(OpenWatchError, match=r"site\.yml:2: unknown key 'group'.*'groups'"):
        load_site(tmp_path / "site.yml")
    with pytest.raises(OpenWatchError, match="No such file"):
        load_site(tmp_path / "none.yml")


def test_an_empty_site_has_no_values() -> None:
    assert not resolve({"tries": definition()}, Site().layers("web1"))
