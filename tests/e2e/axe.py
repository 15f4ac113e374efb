"""The automatic accessibility check: axe-core, run in the page as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from playwright.sync_api import Page

SCRIPT: Final = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS: Final = ("serious", "critical")
RUN: Final = """
async ([serious, rules]) => {
  const options = { resultTypes: ['violations'] };
  if (rules) options.runOnly = { type: 'rule', values: rules };
  const { violations } = await axe.run(document, options);
  return violations
    .filter(({ impact }) => serious.includes(impact))
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}
"""
CONTRAST: Final = ("color-contrast",)


def serious_violations(page: Page, *, only: tuple[str, ...] | None = None) -> list[str]:
    """Return what axe finds to be serious or worse; ``only`` names the rules to run."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(SCRIPT.read_text())
    return page.evaluate(RUN, [list(SERIOUS), list(only) if only else None])
