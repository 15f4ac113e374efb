"""A rule to start from: commented, and right as it stands."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import TypeAdapter

from openwatch.engine.rules.schema import Category, Rule

_RULE: Final = """\
# A rule is one desired state of a host. docs/rules.md explains every key;
# `openwatch rules lint DIRECTORY` tells each mistake with its line.
id: {rule_id}                       # the name of this file
title: The settings file is written by root alone
description: >-
  What exactly is measured: /etc/{rule_id}.conf has to belong to root, and nobody else may write
  it.
rationale: >-
  What goes wrong without it, in one or two sentences that name the danger.
severity: medium                    # critical, high, medium, low
category: {category}                # the directory of this file
# Framework to controls; `openwatch frameworks list` names the frameworks:
#   cis_debian12: ["5.1.20"]
references: {{}}
# Where a rule says less of a control, or more, than others of its framework do:
# relations: {{cis_debian12: {{"5.1.20": contributes}}}}
platforms:                          # elsewhere the rule is not_applicable
  - {{family: debian, min: "12"}}
  - {{family: ubuntu, min: "22.04"}}
  - {{family: rhel, min: "8"}}
# Only hosts for which this holds; where it cannot be measured the rule is an error:
# when:
#   package: {{name: openssh-server}}
#   expect: {{installed: true}}
check:
  file: {{path: /etc/{rule_id}.conf}}
  expect: {{owner: root, mode: {{no_more_than: "0644"}}}}
# Where only a person can judge, this stands in place of `check`:
# manual: What to look at, and where.
fix: Run `chown root /etc/{rule_id}.conf` and `chmod u=rw,go=r /etc/{rule_id}.conf`.
sources: ["the manual pages and public requirements it was written from"]
"""

_CASES: Final = """\
# Hosts on paper, and what the rule has to say of each. On the plain host of every platform a rule
# of the corpus passes. `on`: every (platform that the rule is for), or families and platforms.
- on: every
  given:
    files:
      /etc/{rule_id}.conf: {{mode: "0644"}}
  verdict: pass
- on: every
  name: everybody may write it
  given:
    files:
      /etc/{rule_id}.conf: {{mode: "0666"}}
  verdict: fail
  shows: "0666"
- on: every
  name: it belongs to somebody else
  given:
    files:
      /etc/{rule_id}.conf: {{owner: nobody}}
  verdict: fail
- on: every
  name: the scan may not look
  cannot: {{"stat:/etc/{rule_id}.conf": denied}}
  verdict: error
  reason: denied
"""


def rule_template(rule_id: str, category: Category) -> str:
    """Return the text of a rule file; raise ``ValueError`` where the id is none."""
    identifier: TypeAdapter[Any] = TypeAdapter(Annotated[str, Rule.model_fields["id"]])
    identifier.validate_python(rule_id)
    return _RULE.format(rule_id=rule_id, category=category.value)


def case_template(rule_id: str) -> str:
    """Return the text of the case file of that rule."""
    return _CASES.format(rule_id=rule_id)
