"""TLS first; plain HTTP on this machine or on request, once the server has shown that it speaks no TLS."""

import pytest

from oci_layers.errors import NameFormatError, UnreachableError
from oci_layers.registry.endpoint import Endpoint


def plain_server(seen):
    def call(base):
        seen.append(base.full)
        if base.origin.is_secure:
            raise UnreachableError(str(base), "no TLS", speaks_tls=False, was_sent=False)
        return "answer"

    return call


@pytest.mark.parametrize(
    ("domain", "options"),
    [
        ("localhost:5000", {}),
        ("127.0.0.1:5000", {}),
        ("[::1]:5000", {}),
        ("r.localhost:5000", {}),
        ("r.example:5000", {"plain_http": True}),
    ],
)
def test_plain_http_is_used_once_there_is_no_tls(domain, options):
    endpoint, seen = Endpoint(domain, **options), []
    assert endpoint.origin.is_secure
    assert endpoint.call(plain_server(seen)) == "answer"
    assert endpoint.call(plain_server(seen)) == "answer"
    assert seen == [f"https://{domain}/v2/", f"http://{domain}/v2/", f"http://{domain}/v2/"]
    assert not endpoint.origin.is_secure


@pytest.mark.parametrize("domain", ["r.example:5000", "10.0.0.1:5000", "192.168.1.1", "docker.io"])
def test_elsewhere_there_is_no_plain_http(domain):
    with pytest.raises(UnreachableError, match="no TLS"):
        Endpoint(domain).call(plain_server([]))


def test_a_server_that_speaks_tls_is_not_asked_without():
    seen = []

    def fail(base):
        seen.append(base.full)
        raise UnreachableError(str(base), "the certificate is wrong", was_sent=False)

    with pytest.raises(UnreachableError):
        Endpoint("localhost:5000", plain_http=True).call(fail)
    assert seen == ["https://localhost:5000/v2/"]


def test_docker_hub_has_another_host():
    endpoint = Endpoint("docker.io")
    assert endpoint.domain == "docker.io"
    assert str(endpoint.origin) == "https://registry-1.docker.io"


@pytest.mark.parametrize("domain", ["a:0", "a:65536", "[::g]"])
def test_a_port_is_a_port(domain):
    with pytest.raises(NameFormatError):
        Endpoint(domain)
