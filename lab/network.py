"""The network of a lab: one bridge that the machine is on, one that it is not."""

from __future__ import annotations

import fcntl
import ipaddress
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.machine import run
from lab.place import Place

# RFC 2544 sets 198.18.0.0/15 apart for tests on one's own machines: nobody routes it.
PUBLIC: Final = IPv4Network("198.18.0.0/16")
BLOCK: Final = 22
# On a bridge of its own in every lab, without an address of the machine: equal nets do not meet.
PRIVATE_BLOCK: Final = IPv4Network("198.19.0.0/22")
FIRST_HOST: Final = 10
JUMP_ADDRESS: Final = PRIVATE_BLOCK[1]
MACHINE_LOCK: Final = Path("/run/openwatch-lab.lock")
# linux/if_bridge.h, BR_STATE_*.
DISABLED: Final = "0"
FORWARDING: Final = "3"
CABLE_SECONDS: Final = 5.0
NAMESPACES: Final = Path("/run/netns")


def make_bridges(place: Place) -> IPv4Network:
    """Make the lab's bridges unless they are there; return the block of addresses of its hosts."""
    with _machine_locked():
        if (present := _block_of(place.bridge)) is not None:
            block = present
        else:
            block = _free_block(int(place.id, 16))
            _delete_link(place.bridge)
            # A bridge without an address of its own takes the lowest of its ports', and changes it
            # with them: hosts that know the old one then answer to nobody.
            fixed = ("address", _link_address(place, 0))
            run("ip", "link", "add", place.bridge, *fixed, "type", "bridge")
            run("ip", "addr", "add", f"{block[1]}/{block.prefixlen}", "dev", place.bridge)
            run("ip", "link", "set", place.bridge, "up")
        if not _exists(place.private_bridge):
            run("ip", "link", "add", place.private_bridge, "type", "bridge")
            run("ip", "link", "set", place.private_bridge, "up")
    return block


def host_address(block: IPv4Network, number: int) -> IPv4Address:
    """The address of host ``number`` (from 1) in ``block``."""
    offset = FIRST_HOST + number
    if offset >= block.num_addresses - 1:
        raise LabError(f"A lab has room for {block.num_addresses - FIRST_HOST - 2} hosts.")
    return block[offset]


def connect(
    place: Place, host: str, number: int, *, address: IPv4Address, private: bool, jump: bool
) -> None:
    """Give a host its network namespace and cables; does nothing when it has them."""
    namespace = place.namespace(host)
    if (NAMESPACES / namespace).exists():
        return
    run("ip", "netns", "add", namespace)
    bridge = place.private_bridge if private else place.bridge
    cables = [(place.link(number), bridge, "eth0", address, "02")]
    if jump:
        second = place.link(number, private=True)
        cables.append((second, place.private_bridge, "eth1", JUMP_ADDRESS, "06"))
    outside: list[str] = []
    inside = ["link set lo up"]
    for link, bridge_name, interface, ip, first in cables:
        ethernet = _link_address(place, number, first=first)
        far_end = f"{interface} netns {namespace} address {ethernet}"
        outside.append(f"link add {link} type veth peer name {far_end}")
        outside.append(f"link set {link} master {bridge_name} up")
        inside.append(f"addr add {ip}/{BLOCK} dev {interface}")
        inside.append(f"link set {interface} up")
    _batch(outside)
    _batch(inside, namespace)


def disconnect(place: Place, host: str, number: int) -> None:
    """Take a host's network away."""
    # A namespace lives on, with its end of the cable, while a cut connection of its own does.
    _delete_link(place.link(number))
    _delete_link(place.link(number, private=True))
    namespace = place.namespace(host)
    if (NAMESPACES / namespace).exists():
        run("ip", "netns", "del", namespace, check=False)


def set_cable(place: Place, number: int, *, up: bool) -> None:
    """Plug in or pull out the machine's end of a host's cable; return when it has the effect."""
    link = place.link(number)
    run("ip", "link", "set", link, "up" if up else "down")
    wanted = FORWARDING if up else DISABLED
    deadline = time.monotonic() + CABLE_SECONDS
    while Path(f"/sys/class/net/{link}/brport/state").read_text().strip() != wanted:
        if time.monotonic() > deadline:
            raise LabError(f"The bridge does not notice that {link} is {'up' if up else 'down'}.")
        time.sleep(CABLE_SECONDS / 500)
    # Who asked for the host's Ethernet address while the cable was out is about to give up, and a
    # connection that is made now would share that fate.
    run("ip", "neigh", "flush", "dev", place.bridge, check=False)


def remove_all(place: Place) -> None:
    """Remove every namespace, link and bridge that carries the lab's prefix."""
    if NAMESPACES.is_dir():
        for entry in NAMESPACES.glob(f"{place.prefix}-*"):
            run("ip", "netns", "del", entry.name, check=False)
    for link in Path("/sys/class/net").glob(f"{place.prefix}*"):
        _delete_link(link.name)


def _link_address(place: Place, number: int, *, first: str = "02") -> str:
    """The Ethernet address of host ``number`` (0: the bridge); ``first`` marks it as local.

    It goes with the IP address: a host that takes the address of one that was deleted is then
    found at once, and not looked for where a neighbour table remembers the old one.
    """
    octets = f"{place.id}{number:04x}"
    return ":".join((first, *(octets[i : i + 2] for i in range(0, len(octets), 2))))


def _batch(commands: list[str], namespace: str | None = None) -> None:
    where = ("-n", namespace) if namespace else ()
    run("ip", *where, "-batch", "-", stdin="\n".join(commands) + "\n")


def _exists(link: str) -> bool:
    return Path(f"/sys/class/net/{link}").exists()


def _delete_link(link: str) -> None:
    if _exists(link):
        run("ip", "link", "del", link, check=False)


def _block_of(bridge: str) -> IPv4Network | None:
    if not _exists(bridge):
        return None
    blocks = _blocks_in_use(bridge)
    return blocks[0] if blocks else None


def _blocks_in_use(interface: str | None = None) -> list[IPv4Network]:
    where = ("dev", interface) if interface else ()
    links = json.loads(run("ip", "-j", "-4", "addr", "show", *where).stdout)
    return [
        ipaddress.IPv4Interface(f"{address['local']}/{address['prefixlen']}").network
        for link in links
        for address in link.get("addr_info", ())
    ]


def _free_block(seed: int) -> IPv4Network:
    blocks = list(PUBLIC.subnets(new_prefix=BLOCK))
    used = _blocks_in_use()
    start = seed % len(blocks)
    for block in blocks[start:] + blocks[:start]:
        if not any(block.overlaps(other) for other in used):
            return block
    raise LabError(f"All of {PUBLIC} is in use on this machine.", "Stop a lab: lab down --all")


@contextmanager
def _machine_locked() -> Iterator[None]:
    """Two labs that start together must not choose the same block."""
    with MACHINE_LOCK.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
