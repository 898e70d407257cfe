"""Whose address a connection comes from: what limits per visitor count by."""

from __future__ import annotations

from ipaddress import ip_address, ip_network


def visitor_at(host: str) -> str:
    """The address of the other side, or its /64 network for IPv6, which one visitor has whole; empty for this machine.

    host  an address, or the name of a socket without addresses, which is returned as it is

    >>> visitor_at("203.0.113.7"), visitor_at("2001:db8::1"), visitor_at("::ffff:127.0.0.1")
    ('203.0.113.7', '2001:db8::/64', '')
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return ""
    return str(address) if address.version == 4 else str(ip_network((int(address) >> 64 << 64, 64)))
