"""A registry in memory, as a transport: what the distribution spec demands, and a switch for each thing that it allows.

`ModelRegistry` answers requests as a server would. `log` has each request as (method, path with query, headers).
"""

import hashlib
import itertools
import json
import re

import attrs

from oci_layers.errors import UnreachableError
from oci_layers.registry.transport import BytesBody, Headers, Response

OCI_INDEX = "application/vnd.oci.image.index.v1+json"


@attrs.define
class Switches:
    mounts: bool = True
    mounts_without_permission: bool = True
    digest_header: bool = True
    heads_of_manifests: bool = True
    tag_delete: bool = True
    delete: bool = True
    referrers: bool = True
    without_referrers: str = "404"
    """What a registry without referrers answers: `404`, an `empty` list, or a redirect `elsewhere`."""
    filters: bool = True
    page: int | None = None
    absolute_location: bool = False
    location_query: str = "state=a%3Ab%2B"
    new_location_each_time: bool = True
    storage: str | None = None
    """Where blobs redirect to: an origin, such as https://storage.example, or a path here, such as /storage."""
    ranges: bool = True
    created: int = 201
    warning: str | None = None
    strict_blobs: bool = True
    """Whether all that a document lists must be there."""
    tags_sorted: bool = False
    odd_tags: bool = False
    """Whether lists of tags have nulls and digests as well."""
    content_type_parameters: str = ""
    lengths_of_heads: bool = True
    most: int | None = None
    """The largest body of a blob that a proxy in front of it lets through."""
    least: int | None = None
    """The size that chunks must have at least."""
    chunk_status: int = 202


@attrs.define
class Repository:
    blobs: dict = attrs.field(factory=dict)
    manifests: dict = attrs.field(factory=dict)  # digest -> (media type, bytes)
    tags: dict = attrs.field(factory=dict)


def digest_of(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


@attrs.define(eq=False, slots=False)
class ModelRegistry:
    """A transport to a registry at one host."""

    host: str = "registry.example"
    switches: Switches = attrs.field(factory=Switches)
    repositories: dict = attrs.field(factory=dict)
    uploads: dict = attrs.field(factory=dict)
    chunks: dict = attrs.field(factory=dict)
    log: list = attrs.field(factory=list)
    answers: list = attrs.field(factory=list)
    """Answers that come before any others: each a function of the request that returns a Response or None."""
    interrupted: int = 0
    numbers: object = attrs.field(factory=itertools.count, repr=False)
    closed: bool = False

    def repository(self, name):
        return self.repositories.setdefault(name, Repository())

    def look(self, name):
        return self.repositories.get(name, Repository())

    # The port.

    def send(self, request):
        assert not self.closed
        self.log.append((request.method, request.url.full, dict(request.headers)))
        for each in list(self.answers):
            if (found := each(request)) is not None:
                return found
        origin = str(request.url.origin)
        storage = self.switches.storage
        if storage and (origin == storage or request.url.path.startswith(f"{storage}/")):
            assert origin != storage or "Authorization" not in request.headers
            name, digest = request.url.path.removeprefix(storage).strip("/").rsplit("/", 1)
            return self.content(request, self.repositories[name].blobs.get(digest), {})
        if request.url.origin.host != self.host:
            raise UnreachableError(str(request.url), "the name cannot be resolved", was_sent=False)
        response = self.answer(request)
        if self.switches.warning:
            response.headers = Headers([*flat(response.headers), ("Warning", self.switches.warning)])
        return response

    def interrupt(self):
        self.interrupted += 1

    def close(self):
        self.closed = True

    # The server.

    def answer(self, request):
        path = request.url.path
        query = dict(re.findall("([^&=]+)=([^&]*)", request.url.query or ""))
        if path == "/v2/":
            return reply(request, 200)
        found = re.fullmatch(r"/v2/(.+?)/(blobs/uploads|blobs|manifests|tags|referrers)/(.*)", path)
        name, kind, rest = found.groups()
        body = b"" if request.body is None else whole(request.body.open())
        if kind == "blobs/uploads":
            return self.upload(request, name, rest, query, body)
        method = getattr(self, f"{kind}_{request.method.lower()}")
        return method(request, name, rest, query, body)

    def blobs_get(self, request, name, digest, query, body):
        data = self.look(name).blobs.get(digest)
        if data is None:
            return refuse(request, 404, "BLOB_UNKNOWN")
        if self.switches.storage:
            return reply(
                request, 307, headers=[("Location", f"{self.switches.storage}/{name}/{digest}?signature=secret")]
            )
        return self.content(request, data, {"Docker-Content-Digest": digest})

    def blobs_head(self, request, name, digest, query, body):
        found = self.blobs_get(request, name, digest, query, body)
        if not self.switches.lengths_of_heads:
            found.headers = Headers(each for each in flat(found.headers) if each[0] != "content-length")
        return found

    def blobs_delete(self, request, name, digest, query, body):
        if not self.switches.delete:
            return refuse(request, 405, "UNSUPPORTED")
        gone = self.repository(name).blobs.pop(digest, None)
        return reply(request, 202) if gone is not None else refuse(request, 404, "BLOB_UNKNOWN")

    def content(self, request, data, headers):
        if data is None:
            return refuse(request, 404, "BLOB_UNKNOWN")
        if not self.switches.digest_header:
            headers = {key: value for key, value in headers.items() if key != "Docker-Content-Digest"}
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if found and self.switches.ranges:
            start, end = int(found[1]), min(len(data), int(found[2]) + 1 if found[2] else len(data))
            if start >= len(data):
                return reply(request, 416)
            headers = {**headers, "Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
            return reply(request, 206, data[start:end], headers.items())
        return reply(request, 200, data, headers.items())

    def upload(self, request, name, session, query, body):
        mine = self.repository(name)
        if request.method == "POST":
            source = query.get("from")
            if "mount" in query and self.switches.mounts and source is not None:
                digest = query["mount"].replace("%3A", ":")
                data = self.look(source).blobs.get(digest)
                if not self.switches.mounts_without_permission:
                    return refuse(request, 403, "DENIED")
                if data is not None:
                    mine.blobs[digest] = data
                    return reply(request, 201, headers=[("Docker-Content-Digest", digest)])
            return self.accepted(request, name, b"")
        if self.switches.most is not None and len(body) > self.switches.most:
            return reply(request, 413, b"<html>", [("Content-Type", "text/html")])
        if session not in self.uploads:
            return refuse(request, 404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "PATCH":
            return self.chunk(request, name, session, body)
        assert request.method == "PUT"
        body = self.chunks.pop(session, b"") + body
        assert self.switches.location_query in (request.url.query or "")
        if self.switches.new_location_each_time:
            del self.uploads[session]
        digest = query["digest"]
        if digest_of(body, digest.partition(":")[0]) != digest:
            return refuse(request, 400, "DIGEST_INVALID")
        mine.blobs[digest] = body
        stored = [("Docker-Content-Digest", digest)] if self.switches.digest_header else []
        return reply(request, self.switches.created, headers=stored)

    def accepted(self, request, name, data, status=202):
        session = str(next(self.numbers))
        self.uploads[session] = name
        self.chunks[session] = data
        least = [] if self.switches.least is None else [("OCI-Chunk-Min-Length", str(self.switches.least))]
        return reply(request, status, headers=[("Location", self.location(name, session)), *least])

    def chunk(self, request, name, session, body):
        held = self.chunks[session]
        if request.headers["Content-Range"] != f"{len(held)}-{len(held) + len(body) - 1}":
            return refuse(request, 416, "BLOB_UPLOAD_INVALID")
        if self.switches.least and held and len(held) % self.switches.least:
            return refuse(request, 400, "SIZE_INVALID")  # The one before was too short, and not the last.
        del self.uploads[session], self.chunks[session]
        return self.accepted(request, name, held + body, self.switches.chunk_status)

    def location(self, name, session):
        path = f"/v2/{name}/blobs/uploads/{session}"
        query = f"?{self.switches.location_query}" if self.switches.location_query else ""
        return f"https://{self.host}{path}{query}" if self.switches.absolute_location else path + query

    def manifests_get(self, request, name, reference, query, body):
        mine = self.look(name)
        digest = mine.tags.get(reference, reference)
        if digest not in mine.manifests:
            return refuse(request, 404, "MANIFEST_UNKNOWN")
        if request.method == "HEAD" and not self.switches.heads_of_manifests:
            return refuse(request, 405, "UNSUPPORTED")
        media_type, raw = mine.manifests[digest]
        if media_type not in request.headers.get("Accept", ""):
            return refuse(request, 404, "MANIFEST_UNKNOWN")
        headers = [("Content-Type", media_type + self.switches.content_type_parameters)]
        if self.switches.digest_header:
            headers.append(("Docker-Content-Digest", digest))
        return reply(request, 200, raw, headers)

    manifests_head = manifests_get

    def manifests_put(self, request, name, reference, query, body):
        mine = self.repository(name)
        document = json.loads(body)
        media_type = request.headers["Content-Type"]
        if document.get("mediaType", media_type) != media_type:
            return refuse(request, 400, "MANIFEST_INVALID")
        digest = digest_of(body, reference.partition(":")[0]) if ":" in reference else digest_of(body)
        if ":" in reference and digest != reference:
            return refuse(request, 400, "DIGEST_INVALID")
        if self.switches.strict_blobs:
            blobs = [each for each in (document.get("config"), *document.get("layers", ())) if each]
            needed = [each["digest"] for each in blobs if "nondistributable" not in each["mediaType"]]
            children = [each["digest"] for each in document.get("manifests", ())]
            if not (mine.blobs.keys() >= set(needed) and mine.manifests.keys() >= set(children)):
                return refuse(request, 400, "MANIFEST_BLOB_UNKNOWN")
        mine.manifests[digest] = media_type, body
        if ":" not in reference:
            mine.tags[reference] = digest
        headers = []
        if self.switches.digest_header:
            headers.append(("Docker-Content-Digest", digest))
        if self.switches.referrers and "subject" in document:
            headers.append(("OCI-Subject", document["subject"]["digest"]))
        return reply(request, self.switches.created, headers=headers)

    def manifests_delete(self, request, name, reference, query, body):
        mine = self.repository(name)
        if ":" not in reference:
            if not self.switches.tag_delete:
                return refuse(request, 400, "DIGEST_INVALID")
            gone = mine.tags.pop(reference, None)
        else:
            if not self.switches.delete:
                return refuse(request, 405, "UNSUPPORTED")
            gone = mine.manifests.pop(reference, None)
            mine.tags = {tag: digest for tag, digest in mine.tags.items() if digest != reference}
        return reply(request, 202) if gone is not None else refuse(request, 404, "MANIFEST_UNKNOWN")

    def tags_get(self, request, name, rest, query, body):
        if name not in self.repositories:
            return refuse(request, 404, "NAME_UNKNOWN")
        tags = list(self.repositories[name].tags)
        if self.switches.tags_sorted:
            tags.sort()
        if self.switches.odd_tags:
            tags = [None, *tags, digest_of(b"")]
        tags, headers = self.paged(tags, query, f"/v2/{name}/tags/list")
        return reply(request, 200, json.dumps({"name": name, "tags": tags or None}).encode(), headers)

    def paged(self, items, query, path):
        if self.switches.page is None:
            return items, []
        start = int(query.get("last", 0))
        page = items[start : start + self.switches.page]
        if start + len(page) == len(items):
            return page, []
        others = "&".join(f"{key}={value}" for key, value in query.items() if key != "last")
        return page, [("Link", f'<{path}?last={start + len(page)}{"&" * bool(others)}{others}>; rel="next"')]

    def referrers_get(self, request, name, digest, query, body):
        if not self.switches.referrers and self.switches.without_referrers == "404":
            return reply(request, 404, b"404 page not found", [("Content-Type", "text/plain")])
        if not self.switches.referrers and self.switches.without_referrers == "elsewhere":
            return reply(request, 303, headers=[("Location", "https://packages.example/")])
        found = []
        manifests = self.look(name).manifests if self.switches.referrers else {}
        for each, (media_type, raw) in manifests.items():
            document = json.loads(raw)
            if document.get("subject", {}).get("digest") == digest:
                kind = document.get("artifactType") or document.get("config", {}).get("mediaType")
                entry = {"mediaType": media_type, "digest": each, "size": len(raw), "artifactType": kind}
                found.append({**entry, "annotations": document.get("annotations", {})})
        headers = [("Content-Type", OCI_INDEX)]
        if self.switches.filters and "artifactType" in query:
            wanted = query["artifactType"].replace("%2F", "/").replace("%2B", "+")
            found = [each for each in found if each["artifactType"] == wanted]
            headers.append(("OCI-Filters-Applied", "artifactType"))
        found, link = self.paged(found, query, f"/v2/{name}/referrers/{digest}")
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}
        return reply(request, 200, json.dumps(index).encode(), [*headers, *link])


def flat(headers):
    return [(name, value) for name in headers for value in headers.all(name)]


def whole(stream):
    parts = []
    while data := stream.read(1 << 16):
        parts.append(data)
    return b"".join(parts)


def reply(request, status, data=b"", headers=()):
    pairs = [*headers, ("Content-Length", str(len(data)))]
    body = BytesBody(b"" if request.method == "HEAD" else data).open()
    return Response(url=request.url, status=status, headers=Headers(pairs), body=body)


def refuse(request, status, code, message="refused"):
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return reply(request, status, body, [("Content-Type", "application/json")])
