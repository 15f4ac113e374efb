"""Subjects: the closed list of what a rule may look at."""

from __future__ import annotations

from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value

__all__ = ["Kind", "Record", "Selection", "Source", "Subject", "Value"]
