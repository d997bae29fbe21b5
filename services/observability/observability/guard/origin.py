"""Where a request comes from: the address that connected, or the one that a proxy saw if it is one to believe."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies whose `X-Forwarded-For` is believed."""

    networks: tuple[_Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> TrustedProxies:
        """Read addresses and networks such as `10.0.0.7,10.1.0.0/16`.

        Raises:
            ValueError: one of them is none.
        """
        return cls(tuple(ipaddress.ip_network(word.strip()) for word in text.split(",") if word.strip()))

    def address_of(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """The address of who asks.

        Args:
            peer: the address that connected.
            forwarded_for: the values of all headers `X-Forwarded-For`. Of these the last address is the one that the
                proxy itself has seen; those before it are what it was told.
        """
        connected = _read(peer)
        if connected is None or not any(connected in network for network in self.networks):
            return peer
        seen = _read(",".join(forwarded_for).rpartition(",")[2].strip())
        return peer if seen is None else str(seen)


def _read(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
