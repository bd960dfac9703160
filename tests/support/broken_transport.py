"""A transport that keeps what was sent, and that breaks at a request and stays broken."""

from oci_layers.errors import UnreachableError


class Tapped:
    """Another transport. `log` has method and path of each request, with its query.

    The request `breaks_at`, the first being 0, and all later ones fail: the first of them after it was sent, if
    `answers_are_lost`, as its answer is not seen then.
    """

    def __init__(self, inner, *, breaks_at=None, answers_are_lost=False):
        self.inner = inner
        self.log = []
        self.breaks_at = breaks_at
        self.answers_are_lost = answers_are_lost

    def send(self, request):
        number = len(self.log)
        query = "" if request.url.query is None else f"?{request.url.query}"
        self.log.append((request.method, request.url.path + query))
        if self.breaks_at is None or number < self.breaks_at:
            return self.inner.send(request)
        if number == self.breaks_at and self.answers_are_lost:
            self.inner.send(request).close()
        raise UnreachableError(str(request.url.origin), "the connection is broken, as the test wants it")

    def interrupt(self):
        self.inner.interrupt()

    def close(self):
        """Leave the other one open."""
