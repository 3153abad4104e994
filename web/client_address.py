"""Determine a caller's address, also behind proxies."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from starlette.types import Scope

# Proxies in a row. An address has at most 45 characters, and a zone.
MAX_HOPS, MAX_ADDRESS_CHARACTERS = 16, 64
IPV6_SUBSCRIBER_BITS = 64


class ClientAddresses:
    """Returns the address of a caller: the peer's, or the one that trusted proxies report."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        """`trusted_proxies`: addresses or networks."""
        self.trusted_proxies = [ip_network(proxy) for proxy in trusted_proxies]

    def address_of(self, scope: Scope, forwarded_for: bytes) -> str:
        """Return the last address that is not a trusted proxy's; `forwarded_for`: the X-Forwarded-For header."""
        peer: str = (scope.get("client") or ("unknown", 0))[0].removeprefix("::ffff:")
        if not self.trusted_proxies:
            return peer
        hops = reversed(forwarded_for.rsplit(b",", MAX_HOPS)[-MAX_HOPS:])
        address = peer
        for hop in (peer, *(hop.strip().decode("latin-1") for hop in hops)):
            try:
                parsed = ip_address(hop[:MAX_ADDRESS_CHARACTERS])
            except ValueError:
                break  # the proxy that wrote this cannot be trusted, nor can the addresses before it
            parsed = getattr(parsed, "ipv4_mapped", None) or parsed  # a dual-stack listener's form of an IPv4 address
            address = str(parsed)
            if not any(parsed in proxy for proxy in self.trusted_proxies):
                break
        return address


def rate_limit_key(address: str) -> str:
    """Return the key of an address in the rate limits: for IPv6 its /64 network, since one subscriber may use any address of it."""
    if ":" not in address:
        return address
    return str(ip_network((address.partition("%")[0], IPV6_SUBSCRIBER_BITS), strict=False))
