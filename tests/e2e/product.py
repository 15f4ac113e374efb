"""`openwatch up` as a process of its own, and the API that tests prepare its data with."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import NamedTemporaryFile
from typing import Any, Final

import httpx

from lab.session import LabHost, LabSession
from openwatch.identity.access import COOKIE
from tests.fixtures.running import Place, Running, temporary_place

ADMIN: Final = "admin"
PASSWORD: Final = "nine lanterns over the harbour"
ACTIVE: Final = ("queued", "running")
SCAN_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.1
LOG_TAIL: Final = 3000


@dataclass
class Product:
    """A running OpenWatch. ``api`` is signed in as the administrator, when there is one."""

    place: Place
    running: Running
    api: httpx.Client

    @property
    def origin(self) -> str:
        return self.running.url

    @property
    def session(self) -> str | None:
        """The cookie of the administrator's session."""
        return self.api.cookies.get(COOKIE)

    @property
    def first_run_link(self) -> str:
        """The link that `openwatch up` prints while there is no administrator."""
        return self.running.wait_for_line("#token=").strip()

    def start_again(self) -> None:
        """Start `openwatch up` over the same data, on the same port."""
        self.running = self.place.up()
        self.running.wait_until_ready()

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self._answer(self.api.get(path, params=query))

    def post(self, path: str, body: object = None) -> dict[str, Any]:
        return self._answer(self.api.post(path, json=body))

    def add_credential(self, lab: LabSession, **fields: Any) -> str:
        """Save the key of the lab's scan account; return the credential's id."""
        body = {"name": "lab key", "username": "scan", "private_key": lab.key_path.read_text()}
        return self.post("/credentials", body | fields)["id"]

    def add_host(self, host: LabHost, credential: str, **fields: Any) -> str:
        """Save a lab host; return its id."""
        body = {"name": host.name, "address": host.address, "credential_id": credential}
        return self.post("/hosts", body | fields)["id"]

    def start_scan(self, host_id: str) -> str:
        return self.post(f"/hosts/{host_id}/scans")["id"]

    def scan(self, host_id: str) -> dict[str, Any]:
        """Scan a host and return the scan once it is over."""
        scan = self.post(f"/hosts/{host_id}/scans")
        deadline = time.monotonic() + SCAN_SECONDS
        while scan["state"] in ACTIVE:
            assert time.monotonic() < deadline, scan
            time.sleep(POLL_SECONDS)
            scan = self.get(f"/scans/{scan['id']}")
        return scan

    def said(self) -> str:
        """Return the end of what `openwatch up`, the API and the worker said."""
        logs = sorted((self.place.data_dir / "log").glob("*.log"))
        texts = [self.running.output, *(log.read_text() for log in logs)]
        return "\n---\n".join(text[-LOG_TAIL:] for text in texts)

    @staticmethod
    def _answer(answer: httpx.Response) -> dict[str, Any]:
        assert answer.is_success, answer.text
        return answer.json()


@contextmanager
def product_running(*, with_admin: bool, **settings: str) -> Generator[Product]:
    """Start everything on a free port; without an administrator it waits for its first run."""
    with temporary_place() as place, NamedTemporaryFile("w") as secret:
        if with_admin:
            secret.write(PASSWORD)
            secret.flush()
            settings |= {"admin_password_file": secret.name, "admin_username": ADMIN}
        running = place.up(**settings)
        running.wait_until_ready()
        with httpx.Client(base_url=f"{running.url}/api/v1", timeout=30) as api:
            product = Product(place, running, api)
            if with_admin:
                body = {"username": ADMIN, "password": PASSWORD}
                signed_in = product.post("/session", body)
                api.headers["X-CSRF-Token"] = signed_in["csrf_token"]
            yield product
