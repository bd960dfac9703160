"""Registries: the distribution spec over HTTP, as a place that holds images.

`transport` sends one request, `exchange` one with its redirects, credentials and repetitions, `client` each request of
the distribution spec; `blobs` makes a store of these, which `store.RegistryRepository` opens by name. What they share
is a `RegistrySession`. `authorizer` answers challenges, `credential_files` finds what users have logged in with;
`registries_conf` says where images are read, and `sources` reads them there: mirrors first.

A URL belongs to an origin, and so do credentials. As text it has no query, where storage servers put signatures:

    >>> from oci_layers.registry import Origin, Url
    >>> url = Url.parse("https://Registry.example/v2/a/blobs/uploads/1?state=secret")
    >>> origin: Origin = url.origin
    >>> origin, str(url)
    (Origin(scheme='https', host='registry.example', port=443), 'https://registry.example/v2/a/blobs/uploads/1')
    >>> url.join("/v2/a/blobs/uploads/2").origin == url.origin
    True

A transport sends one request. Anything with its methods is one:

    >>> import io
    >>> from oci_layers.registry import Body, BytesBody, Headers, Request, Response, Transport
    >>> class Echo:
    ...     def send(self, request: Request) -> Response:
    ...         body: Body = request.body or BytesBody(b"")
    ...         headers = Headers([("Content-Length", str(body.size))])
    ...         return Response(url=request.url, status=200, headers=headers, body=body.open())
    ...     def interrupt(self) -> None: ...
    ...     def close(self) -> None: ...
    >>> transport: Transport = Echo()
    >>> answer = transport.send(Request(method="PUT", url=url, body=BytesBody(b"hello")))
    >>> answer.status, answer.headers["content-length"], answer.body.read(10)
    (200, '5', b'hello')

`Urllib3Transport` is the one that speaks HTTP; it needs the extra `registry`:

    >>> from oci_layers.errors import UnreachableError
    >>> from oci_layers.registry import Urllib3Transport
    >>> transport = Urllib3Transport(connect_timeout=10)
    >>> try:
    ...     transport.send(Request(method="GET", url=Url.parse("http://127.0.0.1:1/v2/")))
    ... except UnreachableError as error:
    ...     print(error)
    http://127.0.0.1:1: connection refused
    >>> transport.close()

Credentials are looked up where other programs keep them: in files and helpers. A source of one's own is a function:

    >>> import tempfile
    >>> from oci_layers.registry import Credential, CredentialSource, DefaultCredentials
    >>> from oci_layers.registry import erase_credential, logins, store_credential
    >>> work = tempfile.TemporaryDirectory()
    >>> environ = {"XDG_RUNTIME_DIR": work.name}
    >>> file = store_credential("registry.example/a", Credential(username="ann", password="secret"), environ=environ)
    >>> source: CredentialSource = DefaultCredentials(environ)
    >>> source("registry.example", "a/b"), source("registry.example", "b")
    (Credential(username='ann'), None)
    >>> logins(environ=environ), erase_credential("registry.example/a", environ=environ), logins(environ=environ)
    ({'registry.example/a': 'ann'}, True, {})
    >>> work.cleanup()

A session has connections and credentials for any number of registries and calls. Requests that fail for the moment are
repeated, as `Retries` says, by a `Clock`:

    >>> import oci_layers as oci
    >>> from oci_layers.registry import Clock, RegistrySession, Retries
    >>> session = RegistrySession(transport=Echo(), retries=Retries(attempts=1), clock=Clock(), environ={})
    >>> with session:
    ...     session.check("registry.example")
    ...     try:
    ...         oci.open_image("docker://registry.example/a:1", session=session)
    ...     except oci.OCIError as error:
    ...         print(error)
    document: /: is not JSON at line 1 column 1: Expecting value
"""

from typing import TYPE_CHECKING

from oci_layers._lazy import lazy
from oci_layers.registry.transport import Body, BytesBody, Headers, Request, Response, Transport
from oci_layers.registry.url import Origin, Url

if TYPE_CHECKING:
    from oci_layers.registry.auth_file import erase_credential, logins, store_credential
    from oci_layers.registry.credential_files import DefaultCredentials
    from oci_layers.registry.credentials import Credential, CredentialSource
    from oci_layers.registry.retry import Clock, Retries
    from oci_layers.registry.session import RegistrySession
    from oci_layers.registry.urllib3_transport import Urllib3Transport

__all__ = [
    "Body",
    "BytesBody",
    "Clock",
    "Credential",
    "CredentialSource",
    "DefaultCredentials",
    "Headers",
    "Origin",
    "RegistrySession",
    "Request",
    "Response",
    "Retries",
    "Transport",
    "Url",
    "Urllib3Transport",
    "erase_credential",
    "logins",
    "store_credential",
]

__getattr__ = lazy(
    __name__,
    {
        "Clock": "retry",
        "Credential": "credentials",
        "CredentialSource": "credentials",
        "DefaultCredentials": "credential_files",
        "RegistrySession": "session",
        "Retries": "retry",
        "Urllib3Transport": "urllib3_transport",
        "erase_credential": "auth_file",
        "logins": "auth_file",
        "store_credential": "auth_file",
    },
)
