"""The site file: values of an organisation, of its groups and of its hosts."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from openwatch.engine.errors import SITE_INVALID
from openwatch.engine.rules.loader import load_text
from openwatch.engine.rules.variables import Layer, Tier
from openwatch.kit.errors import OpenWatchError

Values = Mapping[str, Any]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HostGroup(_Model):
    """Hosts by name or pattern, and what is different for them."""

    hosts: tuple[str, ...] = Field(min_length=1, description="Names, or patterns such as web*.")
    variables: Values = Field(min_length=1)


class SiteHost(_Model):
    """What is different for one host."""

    variables: Values = Field(min_length=1)


class Site(_Model):
    """Values in tiers: of all hosts, of groups (of several that fit the last counts), of a host."""

    preset: str | None = Field(default=None, description="The benchmark whose values hold.")
    variables: Values = Field(default_factory=dict[str, Any])
    groups: Mapping[str, HostGroup] = Field(default_factory=dict[str, HostGroup])
    hosts: Mapping[str, SiteHost] = Field(default_factory=dict[str, SiteHost])

    def layers(self, host: str) -> tuple[Layer, ...]:
        """Return the layers for a host, by the name under which it is scanned."""
        own = {name for name in self.hosts if name.lower() == host.lower()}
        mine = {
            name
            for name, group in self.groups.items()
            if any(fnmatchcase(host.lower(), pattern.lower()) for pattern in group.hosts)
        }
        return tuple(
            layer
            for layer in self.every_layer()
            if (layer.tier is not Tier.GROUP or layer.origin in mine)
            and (layer.tier is not Tier.HOST or layer.origin in own)
        )

    def every_layer(self) -> tuple[Layer, ...]:
        """Return all layers, whichever hosts they are for."""
        groups = (Layer(Tier.GROUP, g.variables, name) for name, g in self.groups.items())
        hosts = (Layer(Tier.HOST, h.variables, name) for name, h in self.hosts.items())
        return (Layer(Tier.ORGANISATION, self.variables), *groups, *hosts)


def load_site(path: Path) -> Site:
    """Return a site file; raises ``site.invalid`` with every problem and its line."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OpenWatchError(SITE_INVALID, problems=f"  {path}: {error}") from None
    site, problems = load_text(Site, text, path.name)
    if site is None:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise OpenWatchError(SITE_INVALID, problems=listed)
    return site
