"""The address of a caller, and its key in the rate limits."""

import pytest

from web.client_address import ClientAddresses, rate_limit_key


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "9.9.9.9, 1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "9.9.9.9, 1.2.3.4, 10.0.0.7", "1.2.3.4"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4, junk", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("8.8.8.8", "1.2.3.4", "8.8.8.8"),
        ("::ffff:10.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"),
        ("::ffff:8.8.8.8", "1.2.3.4", "8.8.8.8"),
        ("10.0.0.1", "1.2.3.4" + ", 10.0.0.2" * 15, "1.2.3.4"),
        ("10.0.0.1", "1.2.3.4" + ", 10.0.0.2" * 16, "10.0.0.2"),  # nobody has so many proxies
        ("10.0.0.1", "9" * 100_000, "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_may_report_an_address(peer, forwarded, address):
    addresses = ClientAddresses(["10.0.0.0/8"])
    assert addresses.address_of({"type": "http", "client": (peer, 1)}, forwarded.encode()) == address


def test_one_subscribers_ipv6_addresses_count_as_one():
    assert rate_limit_key("2001:db8:1:2:3::4") == rate_limit_key("2001:db8:1:2:ffff::9") != rate_limit_key("2001:db8:1:3::4")
    assert rate_limit_key("192.0.2.1") == "192.0.2.1"
    assert rate_limit_key("fe80::1%eth0") == rate_limit_key("fe80::2")
