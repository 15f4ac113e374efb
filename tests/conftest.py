"""Fixtures for all tests. Modules in ``tests/fixtures`` are loaded as plugins."""

from pathlib import Path

from hypothesis import settings

# A machine may be busy: an example that takes long is no failure, one that hangs is stopped by the
# time limit of its test.
settings.register_profile("openwatch", deadline=None)
settings.load_profile("openwatch")

FIXTURES = Path(__file__).parent / "fixtures"

pytest_plugins = [
    f"tests.fixtures.{path.stem}"
    for path in sorted(FIXTURES.glob("*.py"))
    if path.stem != "__init__"
]
