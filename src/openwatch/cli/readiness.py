"""Ask our own API whether it is ready."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

from openwatch.kit.settings import Settings

TIMEOUT_SECONDS: Final = 3.0
_OK: Final = 200


def is_ready(settings: Settings) -> str | None:
    """Return None when /readyz of the address in the settings says yes, else why not."""
    url = urlsplit(settings.base_url)
    if url.scheme == "https":
        # Nothing secret is sent, and the answer is only shown: the certificate may be self-signed.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            url.netloc, timeout=TIMEOUT_SECONDS, context=context
        )
    else:
        connection = http.client.HTTPConnection(url.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read()
    except OSError:
        return "the API does not answer yet"
    except http.client.HTTPException:
        return f"something else answers on {settings.base_url}"
    finally:
        connection.close()
    return None if answer.status == _OK else _reason(body)


def _reason(body: bytes) -> str:
    try:
        answer: dict[str, Any] = json.loads(body)
        return str(answer.get("cause") or answer.get("detail") or "the API gave no reason")
    except (ValueError, AttributeError):
        return "the API gave no reason"
