"""Servers that are functions, for what asks for tokens: every request is kept, none leaves the process."""

import base64
import io
import json
from urllib.parse import parse_qs

from oci_layers.registry import Headers, Response, Url

REGISTRY = Url.parse("https://registry.example/v2/a/b/manifests/latest")
REALM = "https://auth.example/token"


def challenged(*values, url=REGISTRY, status=401):
    """Return the answer of a registry that asks for credentials."""
    return Response(
        url=url,
        status=status,
        headers=Headers([("WWW-Authenticate", value) for value in values]),
        body=io.BytesIO(b""),
    )


def bearer(scope=None, realm=REALM, service="registry.example", **more):
    """Return the challenge of a registry with a token server."""
    parameters = {"realm": realm, "service": service, "scope": scope, **more}
    return "Bearer " + ",".join(f'{name}="{value}"' for name, value in parameters.items() if value is not None)


def basic(user, password):
    """Return the header for a user and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class TokenServers:
    """A `Fetch` that answers with tokens: `token-1`, `token-2`. `answers` are given first."""

    def __init__(self, *answers, **token):
        self.answers = list(answers)
        self.token = token
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        status, body = self.answers.pop(0) if self.answers else (200, self.next_token())
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.body = io.BytesIO(raw)
        return Response(url=request.url, status=status, headers=Headers(), body=self.body)

    def next_token(self):
        """The JSON of the next token."""
        return {"token": f"token-{len(self.requests)}", "expires_in": 300, **self.token}

    @property
    def queries(self):
        """The parameters of all requests."""
        return [parse_qs(request.url.query, keep_blank_values=True) for request in self.requests]

    @property
    def forms(self):
        """The form of all requests that have one."""
        return [parse_qs(request.body.data.decode()) for request in self.requests if request.body]

    @property
    def sent(self):
        """The credentials of all requests, by the host that got them."""
        return [(str(each.url.origin), each.headers.get("Authorization")) for each in self.requests]
