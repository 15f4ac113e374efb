"""The site values that a command judges with: a preset, a site file and what `--set` says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from openwatch.cli.errors import usage_error
from openwatch.engine.rules import Corpus
from openwatch.engine.rules.site import Site, load_site
from openwatch.engine.rules.variables import Layer, command_line, preset, resolve


@dataclass(frozen=True, slots=True)
class SiteValues:
    """What was given; each host gets the layers that are meant for it."""

    site: Site
    always: tuple[Layer, ...]

    def layers(self, host: str) -> tuple[Layer, ...]:
        """Return the layers for a host, by the name under which it is scanned."""
        return (*self.always, *self.site.layers(host))


def site_values(
    corpus: Corpus, *, site: Path | None, preset_name: str, given: Iterable[str]
) -> SiteValues:
    """Return the site values, every one of them checked.

    Raises ``site.invalid``, ``variable.invalid`` and ``variable.preset_unknown``.
    """
    read = load_site(site) if site else Site()
    name = preset_name or read.preset
    always = (*((preset(corpus.variables, name),) if name else ()), *command_line(_parsed(given)))
    values = SiteValues(read, always)
    for layer in (*always, *read.every_layer()):
        resolve(corpus.variables, (layer,))
    return values


def _parsed(given: Iterable[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name:
            usage_error(f"{text!r} is not NAME=VALUE.", "openwatch rules variables")
        values[name] = value
    return values
