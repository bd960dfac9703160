"""What tests of transports ask, and what they do with the answers."""

import io

import attrs
import pytest

from oci_layers.errors import UnreachableError
from oci_layers.registry import Request, Url, Urllib3Transport


def made_transport(seconds=20):
    """Yield a transport, for a fixture."""
    made = Urllib3Transport(connect_timeout=seconds, read_timeout=seconds, user_agent="a lamp")
    yield made
    made.close()


def hasty_transport():
    """Yield a transport that gives up soon, for tests in which it does."""
    yield from made_transport(0.15)


@attrs.frozen
class StreamBody:
    """A body that says it has `size` bytes."""

    data: bytes
    size: int
    opened: list = attrs.field(factory=list)

    def open(self):
        stream = io.BytesIO(self.data)
        self.opened.append(stream)
        return stream


def request(server, method="GET", target="/v2/", body=None, **headers):
    return Request(method=method, url=Url.parse(server.url + target), headers=headers, body=body)


def read_all(response):
    data = b"".join(iter(lambda: response.body.read(1 << 20), b""))
    response.close()
    return data


def failure(transport, wanted):
    """Return what goes wrong in a request, or in reading its answer."""
    with pytest.raises(UnreachableError) as caught:
        read_all(transport.send(wanted))
    assert not transport._pool._used
    return caught.value
