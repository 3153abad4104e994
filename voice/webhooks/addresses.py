"""Connect to public addresses only: a webhook's host must not make this service reach into its own network.

The address is checked when the connection is made, and the connection is made to the address that was checked: a name may change what it
points to between a check and a later look-up (DNS rebinding).
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import httpcore2

_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


class ForbiddenAddressError(Exception):
    """The host has no address that may be called."""


class Networks:
    """The addresses that may be called: public ones, and those of networks that the operator names."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ip_network(network) for network in networks]

    def names(self, address: IPv4Address | IPv6Address) -> bool:
        """True if the operator names a network with the address."""
        return any(address in network for network in self._networks)

    def allows(self, address: str, *, encrypted: bool) -> bool:
        """True if the address may be called; without encryption only if the operator names its network."""
        inner = _embedded(ip_address(address.partition("%")[0]))
        return self.names(inner) or (encrypted and inner.is_global and not inner.is_multicast)


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that packets to an IPv6 address may reach, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


class CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to the addresses of a host that `Networks` allows."""

    def __init__(self, networks: Networks, *, encrypted: bool) -> None:
        self._networks, self._encrypted = networks, encrypted
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first allowed address that answers.

        Raises:
            ForbiddenAddressError: no address of the host may be called.
            httpcore2.ConnectError: the host has no address, or none answers.

        """
        allowed = [address for address in await _addresses(host, port) if self._networks.allows(address, encrypted=self._encrypted)]
        if not allowed:
            raise ForbiddenAddressError
        for address in allowed[:-1]:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._backend.connect_tcp(allowed[-1], port, timeout, local_address, socket_options)


async def _addresses(host: str, port: int) -> Sequence[str]:
    """Look up the addresses of a host, in the resolver's order."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label of the name is too long
        raise httpcore2.ConnectError from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
