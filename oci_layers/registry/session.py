"""What requests to registries share: connections, credentials, tokens, and what is known of each registry."""

import os
import threading
from collections.abc import Callable, Mapping

from oci_layers import system
from oci_layers._closing import Closing
from oci_layers.errors import AccessDeniedError
from oci_layers.limits import Limits
from oci_layers.registry.authorizer import Authorizer
from oci_layers.registry.client import RegistryClient
from oci_layers.registry.credentials import Credential, CredentialSource
from oci_layers.registry.endpoint import Endpoint
from oci_layers.registry.exchange import Access, Exchange
from oci_layers.registry.registries_conf import RegistriesConf, RegistryEntry
from oci_layers.registry.retry import Clock, Retries
from oci_layers.registry.scope import Scope
from oci_layers.registry.sources import Source, Sources
from oci_layers.registry.transport import Request, Transport
from oci_layers.registry.url import Origin
from oci_layers.spec.reference import Reference

__all__ = ["RegistrySession"]


class RegistrySession(Closing):
    """Connections and credentials for any number of registries. Several threads may use it at once.

    Closed by `close`, or as a context manager. After an interrupt, all of its transfers are ended.
    """

    def __init__(
        self,
        *,
        credentials: Credential | CredentialSource | None = None,
        authfile: str | os.PathLike[str] | None = None,
        certificates: str | os.PathLike[str] | None = None,
        insecure: bool = False,
        plain_http: bool = False,
        cache: str | os.PathLike[str] | None = None,
        foreign_layers: bool = False,
        registries_conf: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
        transport: Transport | None = None,
        retries: Retries | None = None,
        clock: Clock | None = None,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        """Choose credentials and connections; nothing is read or sent yet.

        Args:
            credentials: What is shown to every registry that asks; or a function that is called with a registry and a
                repository. By default what the user has logged in with, as skopeo and docker find it (containers-auth
                .json(5)).
            authfile: The only file in which credentials are looked up.
            certificates: A directory with certificates (`*.crt`, `*.cert`, `*.key`) for every registry; by default
                those of containers-certs.d(5).
            insecure: Take any certificate.
            plain_http: Use plain HTTP where a registry speaks no TLS; a registry on this machine may do so anyway.
            cache: The directory of a layout in which blobs are kept as they are read, and read again from there.
            foreign_layers: Fetch layers that a registry does not have from the URLs in their descriptors, without
                credentials; and send layers that are not distributed (layer.md, "Non-Distributable Layers") to
                registries, which otherwise get the other blobs of an image alone.
            registries_conf: The only file that says where images are read: mirrors, and registries that are blocked; by
                default those of containers-registries.conf(5). Names without a registry are those of Docker Hub.
            environ: The environment: proxies and places of files; that of the process if None.
            transport: Sends the requests, instead of urllib3; closed with this object.
            retries: How often requests are repeated.
            clock: The time.
            on_warning: Called with each text that a registry wants a user to see.

        Raises:
            UnsupportedError: The extra `registry` is not installed, and there is no `transport`.
        """
        self.cache = cache
        """The layout in which `store.RegistryRepository` keeps what it reads; None for none."""
        self.foreign_layers = foreign_layers
        """Whether `store.RegistryRepository` takes layers from elsewhere."""
        environ = system.environment() if environ is None else environ
        if transport is None:
            from oci_layers.registry.tls import Certificates  # These two take 100 ms to import.
            from oci_layers.registry.urllib3_transport import Urllib3Transport

            tls = Certificates(
                certificates, insecure=lambda origin: insecure or self._is_insecure(origin), environ=environ
            )
            transport = Urllib3Transport(tls=tls, environ=environ)
        clock = clock or Clock()

        def exchange(source: CredentialSource) -> Exchange:
            authorizer = Authorizer(source, clock=clock.now)
            return Exchange(transport, authorizer, retries=retries, clock=clock, on_warning=on_warning)

        self._exchange = exchange(_source(credentials, environ, authfile))
        self._of_mirrors = self._exchange
        if isinstance(credentials, Credential):  # A mirror is another registry, to which it was not given (REG-94).
            self._of_mirrors = exchange(_source(None, environ, authfile))
        self._plain_http = plain_http
        self._environ = environ
        self._registries_conf = None if registries_conf is None else os.fspath(registries_conf)
        self._registries: RegistriesConf | None = None
        self._endpoints: dict[tuple[str, bool], Endpoint] = {}
        self._lock = threading.Lock()

    def client(self, domain: str, path: str, limits: Limits | None = None) -> RegistryClient:
        """Return what sends requests to a repository.

        Args:
            domain: The registry, as `Reference.domain`.
            path: The repository, as `Reference.path`.
            limits: The limits on documents and lists.

        Raises:
            AccessDeniedError: A file of containers-registries.conf(5) blocks it.
            DocumentError: Such a file is malformed.
            UnsupportedError: Such a file has a prefix with a tag or a digest of the repository.
        """
        Reference(domain=domain, path=path)
        entry = self._entry(f"{domain}/{path}")
        endpoint = self._endpoint(domain, insecure=entry is not None and entry.insecure)
        return RegistryClient(endpoint, path, self._exchange, limits or Limits())

    def sources(self, client: RegistryClient) -> Sources:
        """Return where the images of a repository are read: its mirrors, and then itself or what stands for it.

        Raises:
            NameFormatError: A file of containers-registries.conf(5) gives a mirror that is no repository.
        """
        domain, path = client.endpoint.domain, client.path
        entry = self._entry(client.place)
        if entry is None:
            return Sources([Source(client)])
        found = []
        for each in entry.places(domain, path):
            endpoint = self._endpoint(each.domain, insecure=each.insecure)
            exchange = self._exchange if each.domain == domain else self._of_mirrors
            reader = RegistryClient(endpoint, each.path, exchange, client.limits)
            found.append(Source(reader, each.by_tag, each.by_digest))
        return Sources(found)

    def _entry(self, name: str) -> RegistryEntry | None:
        """Return what the files say of a repository or a registry, which they must not block."""
        with self._lock:
            if self._registries is None:
                self._registries = RegistriesConf.read(self._environ, self._registries_conf)
        entry = self._registries.find(name)
        if entry is not None and entry.blocked:
            raise AccessDeniedError(name, f"{entry.prefix} is blocked in {entry.file}")
        return entry

    def _endpoint(self, domain: str, *, insecure: bool) -> Endpoint:
        with self._lock:
            if (domain, insecure) not in self._endpoints:
                self._endpoints[domain, insecure] = Endpoint(domain, plain_http=self._plain_http or insecure)
            return self._endpoints[domain, insecure]

    def _is_insecure(self, origin: Origin) -> bool:
        """Tell whether a place that the files call insecure is on a server."""
        with self._lock:
            return any(insecure and each.origin == origin for (_, insecure), each in self._endpoints.items())

    def check(self, domain: str) -> None:
        """Check that a registry answers, and takes the credentials if it wants any (distribution-spec, "end-1").

        Raises:
            AccessDeniedError: It does not take them.
            RegistryError: It cannot be asked, or is no registry.
        """
        access = Access(domain, frozenset[Scope]())
        entry = self._entry(domain)
        endpoint = self._endpoint(domain, insecure=entry is not None and entry.insecure)
        endpoint.call(lambda base: self._exchange.send(Request(method="GET", url=base), access)).close()

    def close(self) -> None:
        """Close all connections; idempotent."""
        self._exchange.close()


def _source(
    given: Credential | CredentialSource | None, environ: Mapping[str, str], authfile: str | os.PathLike[str] | None
) -> CredentialSource:
    if given is None:
        from oci_layers.registry.credential_files import DefaultCredentials

        return DefaultCredentials(environ, None if authfile is None else os.fspath(authfile))
    return (lambda _domain, _path: given) if isinstance(given, Credential) else given
