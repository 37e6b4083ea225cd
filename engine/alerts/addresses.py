"""Where alerts may go: an address somebody typed must not reach into the machine's own network."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from runs import conf

Address = IPv4Address | IPv6Address
#: IPv6 for IPv4 (RFC 6052), and networks that are none of the public ones though Python takes them so.
NAT64 = ip_network("64:ff9b::/96")
NOT_PUBLIC = [ip_network(text) for text in ("100.64.0.0/10", "198.18.0.0/15", "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")]  # fmt: skip
#: Of IPv6 nothing else is given to anybody; Python takes site-local and IPv4-compatible addresses for public.
GIVEN = ip_network("2000::/3")
#: Ports of web servers; those below 1024 that are not belong to mail, shells, name servers.
WEB, FREE = (80, 443), 1024


class Forbidden(Exception):
    """An address alerts may not be sent to."""


def resolved(host: str, port: int) -> str:
    """The IP address to connect to. Raises Forbidden, OSError.

    Whoever connects must use this very answer: asked again, a name server may give another.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    for address in addresses:
        if is_allowed(address):
            _check_port(address, port)
            return str(address)
    listed = ", ".join(sorted({str(address) for address in addresses}))
    raise Forbidden(
        f"{host} is {listed}, which is not a public address. If alerts should go there, name its "
        'network in TRACKSIDE["ALERT_NETWORKS"].'
    )


def is_allowed(address: Address) -> bool:
    """Whether it is public, or stands in a network the settings name."""
    address = _meant(address)
    if is_named(address):
        return True
    if isinstance(address, IPv6Address) and address not in GIVEN:
        return False
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in NOT_PUBLIC)
    )


def is_named(address: Address) -> bool:
    """Whether the settings name its network."""
    return any(_meant(address) in ip_network(text) for text in conf.get("ALERT_NETWORKS"))


def _check_port(address: Address, port: int) -> None:
    if port not in WEB and port < FREE and not is_named(address):
        raise Forbidden(f"Port {port} is none of a web server: use 80, 443, or one from {FREE} on.")


def _meant(address: Address) -> Address:
    """The IPv4 address within one of IPv6."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or address
