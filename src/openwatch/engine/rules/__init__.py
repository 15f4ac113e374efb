"""Rules: data with a closed schema."""

from __future__ import annotations

from openwatch.engine.rules.corpus import Corpus, Framework, load_corpus
from openwatch.engine.rules.schema import Category, Rule, Severity

__all__ = ["Category", "Corpus", "Framework", "Rule", "Severity", "load_corpus"]
