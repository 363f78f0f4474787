"""What kind of address an address is, by the registries: public unicast, or one of the special ones.

Sources: IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its updates), RFC 4291 (mapped and
compatible), RFC 6052 and 8215 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo), RFC 5214 (ISATAP), and the documentation
of each cloud's metadata service.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

METADATA_ADDRESSES = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Google, Azure, OpenStack, DigitalOcean, Oracle, IBM, Hetzner
        "169.254.169.253",  # AWS: DNS of the VPC
        "169.254.169.123",  # AWS: time
        "169.254.170.2",  # AWS: credentials of ECS tasks
        "169.254.170.23",  # AWS: EKS pod identity
        "169.254.0.23",  # Tencent
        "168.63.129.16",  # Azure: wire server, a public address
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle, classic
        "192.80.8.124",  # Equinix Metal, a public address
        "fd00:ec2::254",  # AWS over IPv6
        "fd00:ec2::253",
        "fd00:ec2::23",  # AWS: EKS pod identity
        "fd20:ce::254",  # Google over IPv6
        "fe80::a9fe:a9fe",  # OpenStack
        "fd00:42::42",  # Scaleway
        "fd00:c1::a9fe:a9fe",  # Oracle over IPv6
    )
)
_SPECIAL: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(text), kind)
    for text, kind in (
        ("0.0.0.0/8", "an unspecified"),
        ("10.0.0.0/8", "a private"),
        ("100.64.0.0/10", "a carrier-grade NAT"),
        ("127.0.0.0/8", "a loopback"),
        ("169.254.0.0/16", "a link-local"),
        ("172.16.0.0/12", "a private"),
        ("192.0.0.0/24", "a reserved"),
        ("192.0.2.0/24", "a documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "a private"),
        ("198.18.0.0/15", "a benchmarking"),
        ("198.51.100.0/24", "a documentation"),
        ("203.0.113.0/24", "a documentation"),
        ("224.0.0.0/4", "a multicast"),
        ("240.0.0.0/4", "a reserved"),
        ("::/128", "an unspecified"),
        ("::1/128", "a loopback"),
        ("fc00::/7", "a private"),
        ("fe80::/10", "a link-local"),
        ("fec0::/10", "a site-local"),
        ("ff00::/8", "a multicast"),
        ("2001::/23", "a reserved"),
        ("2001:db8::/32", "a documentation"),
        ("3fff::/20", "a documentation"),
    )
)
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")  # everything else is unassigned or special: refused as reserved
_TEREDO = IPv6Network("2001::/32")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_LAST_32_BITS = tuple(  # networks that hold an IPv4 address in their last four bytes
    IPv6Network(text)
    for text in (
        "::ffff:0:0/96",  # mapped
        "::/96",  # compatible
        "::ffff:0:0:0/96",  # translated (SIIT)
        "64:ff9b::/96",  # NAT64, well-known prefix
        "64:ff9b:1::/48",  # NAT64, local prefixes (of which /96 is the usual length)
    )
)


def embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that ``address`` stands for in one of the transition schemes, or None."""
    if address in _SIX_TO_FOUR:
        return IPv4Address((int(address) >> 80) & 0xFFFFFFFF)
    if address in _TEREDO:
        return IPv4Address(~int(address) & 0xFFFFFFFF)
    isatap = (int(address) >> 32) & 0xFCFFFFFF == 0x00005EFE
    if isatap or (int(address) > 1 and any(address in network for network in _LAST_32_BITS)):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def special_kind(address: Address) -> str | None:
    """What makes ``address`` no public one ("a private", "a loopback", …), or None for a public unicast address."""
    if address in METADATA_ADDRESSES:
        return "a metadata service's"
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return "a link-local"
        if embedded_ipv4(address) is not None:
            return "an IPv4-in-IPv6"
    for network, kind in _SPECIAL:
        if address in network:
            return kind
    if (isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST_V6) or not address.is_global:
        return "a reserved"
    return None
