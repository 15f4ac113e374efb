"""The rule reference: every rule of a corpus as one Markdown document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from openwatch.engine.rules.corpus import Corpus
from openwatch.engine.rules.explain import Form, explain
from openwatch.engine.rules.platforms import platform_names
from openwatch.engine.rules.schema import Category, Rule

_CATEGORY: Final[Mapping[Category, str]] = {
    category: category.value.replace("-", " ").capitalize() for category in Category
}


def reference(corpus: Corpus) -> str:
    """Return the Markdown: a list of all rules by category, then each rule in full."""
    return "\n".join(_document(corpus)).rstrip("\n") + "\n"


def rule_list(corpus: Corpus) -> str:
    """Return the Markdown of docs/rule-list.md: one line for each rule, by category."""
    return "\n".join(_list(corpus)) + "\n"


def _list(corpus: Corpus) -> Iterator[str]:
    yield "# All rules"
    yield ""
    yield "<!-- Written by `openwatch rules docs --list --output docs/rule-list.md`. -->"
    yield ""
    yield (
        f"{len(corpus.rules)} rules. `openwatch rules show RULE` tells one in full, and "
        "`openwatch rules docs` all of them: what is measured on each platform and where it is "
        "kept, why, the fix, the controls. *Controls* counts those that a rule cites, in all "
        "frameworks; *Remedy* says whether the rule has one that a machine can apply."
    )
    for category, rules in _by_category(corpus):
        yield from ("", f"## {_CATEGORY[category]}", "")
        yield "| Rule | What it wants | Severity | Platforms | Controls | Remedy |"
        yield "|---|---|---|---|--:|---|"
        for rule in rules:
            cells = (
                f"[{rule.id}](../corpus/{category.value}/{rule.id}.yml)",
                _escaped(rule.title),
                rule.severity.value,
                _escaped(platform_names(rule.platforms)),
                str(sum(len(ids) for ids in rule.references.values())),
                "yes" if rule.steps() else "no",
            )
            yield f"| {' | '.join(cells)} |"


def _by_category(corpus: Corpus) -> Iterator[tuple[Category, list[Rule]]]:
    for category in Category:
        rules = [r for _, r in sorted(corpus.rules.items()) if r.category is category]
        if rules:
            yield category, rules


def cited_controls(corpus: Corpus, rule: Rule) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield framework, relation and the controls of which the rule says just that."""
    for framework, ids in rule.references.items():
        groups: dict[str, list[str]] = {}
        for control in ids:
            relation = corpus.relation(rule, framework, control).value
            groups.setdefault(relation, []).append(control)
        for relation, controls in groups.items():
            yield framework, relation, tuple(controls)


def _document(corpus: Corpus) -> Iterator[str]:
    yield "# Rule reference"
    yield ""
    yield (
        f"{len(corpus.rules)} rules. Written by `openwatch rules docs`; [rules.md](rules.md) tells "
        "how a rule is written, [frameworks.md](frameworks.md) which controls rules speak of."
    )
    for category, rules in _by_category(corpus):
        yield from ("", f"## {_CATEGORY[category]}", "")
        yield from (f"- [{_escaped(rule.title)}](#{rule.id})" for rule in rules)
        for rule in rules:
            yield from _rule(corpus, rule)


def _rule(corpus: Corpus, rule: Rule) -> Iterator[str]:
    yield from ("", f"### {rule.id}", "")
    yield f"**{_escaped(rule.title)}** ({rule.severity.value})"
    for paragraph in (rule.description, rule.rationale):
        yield from ("", _escaped(paragraph.strip()))
    for form in explain(rule):
        yield from ("", f"On {_escaped(form.platforms)}:", "", "```text")
        yield from _judged(form)
        yield "```"
    yield from ("", f"Fix: {_escaped(rule.fix.strip())}")
    if replaced := ", ".join(f"[{name}](#{name})" for name in rule.supersedes):
        yield from ("", f"Where it is judged it takes the place of {replaced}.")
    if variables := ", ".join(f"`{name}`" for name in sorted(rule.variables())):
        yield from ("", f"Variables: {variables}")
    yield ""
    for framework, relation, controls in cited_controls(corpus, rule):
        title = _escaped(corpus.frameworks[framework].title)
        yield f"- {relation} {title}: {_escaped(', '.join(controls))}"
    yield from ("", f"Sources: {_escaped('; '.join(rule.sources))}")


def _judged(form: Form) -> Iterable[str]:
    gate = (f"only where {'  ' * line.depth}{line.text}" for line in form.gate)
    lines = (f"{'  ' * line.depth}{line.text}" for line in form.lines)
    places = (f"kept in: {', '.join(form.places)}",) if form.places else ()
    yield from (line.replace("```", "` ` `") for line in (*gate, *lines, *places))


def _escaped(text: str) -> str:
    """Return text in which Markdown reads nothing but the code spans that rules write."""
    spans = text.split("`")
    if len(spans) % 2 == 0:
        return _plain(text)
    return "`".join(_plain(part) if i % 2 == 0 else part for i, part in enumerate(spans))


def _plain(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\*_[]<>|`" else c for c in text)
