"""The keys of the installation, as a route gets them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from openwatch.kit.crypto import Keyring


def keyring_of(request: Request) -> Keyring:
    """Return the keys of the app that serves ``request``."""
    keyring = request.app.state.keyring
    assert isinstance(keyring, Keyring)
    return keyring


Keys = Annotated[Keyring, Depends(keyring_of)]
