"""What documents are made of: digests, media types, annotations, dates, URIs, references."""

import hashlib
from collections.abc import Collection, Sequence

import attrs
from hypothesis import strategies as st

from oci_layers.spec.annotations import AUTHORS, CREATED, DESCRIPTION, TITLE, VERSION
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, OCI_MANIFEST
from oci_layers.spec.reference import Reference

__all__ = ["annotations", "dates", "digests", "media_types", "ref_names", "references", "texts", "uris"]

_LONGEST = "a" * 127
_SIGNS = "A1!#$&^_.+-"
MEDIA_TYPES = ("a/b", f"{_LONGEST}/{_LONGEST}", f"{_SIGNS}/{_SIGNS}", "Text/X")
"""Media types at the bounds of the grammar (descriptor.md, `mediaType`)."""

KNOWN_MEDIA_TYPES = (OCI_LAYER_GZIP, OCI_LAYER, OCI_LAYER_ZSTD, OCI_CONFIG, OCI_MANIFEST, OCI_INDEX)

DATES = (
    *("0000-01-01T00:00:00Z", "2015-10-31t22:22:56.015925234z", "2000-02-29T23:59:59-23:59", "2016-12-31T23:59:60Z"),
    *("2017-01-01T01:29:60+01:30", "2016-12-31T15:59:60.5-08:00", "9999-12-31T00:00:00Z"),
)
"""Dates that RFC 3339 allows, leap seconds and other rare forms included."""

URIS = (
    *("https://e.com/a%20b?c=d/?#e/?", "http://[::1]:80/x", "http://[v1.a:b]", "https://a:/", "HTTP://u:p@a//b;c"),
    *("https:", "http:/", "http:/a//b", "http:a/b"),
)
"""URIs that RFC 3986 allows, of the schemes that a descriptor should have."""

_WORD = "abcdefghijklmnopqrstuvwxyz0123456789"
_SIZES = {"sha256": 64, "sha384": 96, "sha512": 128, "blake3": 64}


def texts(*, size: int = 8) -> st.SearchStrategy[str]:
    """Return a strategy of short texts of any characters that JSON can have."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=size)


def dates() -> st.SearchStrategy[str]:
    """Return a strategy of dates as RFC 3339 has them."""
    return st.sampled_from(DATES)


def uris() -> st.SearchStrategy[str]:
    """Return a strategy of URIs as RFC 3986 has them."""
    return st.sampled_from(URIS)


def digests(*, algorithms: Collection[str] = ("sha256",), unknown: bool = False) -> st.SearchStrategy[Digest]:
    """Return a strategy of digests.

    Args:
        algorithms: The algorithms, of sha256, sha384, sha512 and blake3.
        unknown: Draw digests of algorithms that no one has registered, too.
    """
    each = [_digests_of(algorithm) for algorithm in algorithms]
    if unknown:
        algorithm = st.lists(st.text(_WORD, min_size=1, max_size=4), min_size=1, max_size=3)
        algorithms_ = st.tuples(algorithm, st.sampled_from("+._-")).map(lambda pair: pair[1].join(pair[0]))
        encoded = st.text(_WORD + _WORD.upper() + "=_-", min_size=1, max_size=12)
        named = st.builds("x{}:{}".format, algorithms_, encoded)
        each.append(named.map(Digest))
    return st.one_of(each)


def _digests_of(algorithm: str) -> st.SearchStrategy[Digest]:
    if algorithm == "blake3":
        return st.binary(max_size=4).map(lambda data: Digest(f"blake3:{hashlib.sha256(data).hexdigest()}"))
    if algorithm not in _SIZES:
        raise ValueError(f"no digests of {algorithm!r}; there are {', '.join(_SIZES)}")
    return st.binary(max_size=4).map(lambda data: Digest.of(data, algorithm))


def media_types(*, known: bool = True, unknown: bool = True) -> st.SearchStrategy[str]:
    """Return a strategy of media types: those of the spec, and others that follow the grammar, up to its bounds."""
    return st.sampled_from([*(KNOWN_MEDIA_TYPES if known else ()), *(MEDIA_TYPES if unknown else ())])


def annotations(*, size: int = 3, keys: Sequence[str] | None = None) -> st.SearchStrategy[dict[str, str]]:
    """Return a strategy of annotations.

    Args:
        size: The most annotations.
        keys: The keys; by default some of the spec, with values that follow its rules, and some of reverse domains.
    """
    if keys is not None:
        return st.dictionaries(st.sampled_from(keys), texts(), max_size=size)
    part = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=6)
    free = st.dictionaries(st.lists(part, min_size=1, max_size=2).map(lambda parts: ".".join(["com", *parts])), texts())
    said = st.fixed_dictionaries(
        {}, optional={CREATED: dates(), **{key: texts() for key in (TITLE, DESCRIPTION, VERSION, AUTHORS)}}
    )
    return (free | said).map(lambda found: dict(list(found.items())[:size]))


def ref_names() -> st.SearchStrategy[str]:
    """Return a strategy of names of images in a layout, as annotations.md has them."""
    part = st.text(_WORD + _WORD.upper(), min_size=1, max_size=5)
    tail = st.lists(st.tuples(st.sampled_from(["", "-", "--", ".", "_", ":", "@", "+", "/"]), part), max_size=2)
    return st.tuples(part, tail).map(lambda pair: pair[0] + "".join(sign + word for sign, word in pair[1]))


def references(*, tag: bool | None = None, digest: bool | None = None) -> st.SearchStrategy[Reference]:
    """Return a strategy of references to images in registries.

    Args:
        tag: Whether they have a tag; by default some do.
        digest: Whether they have a digest; by default some do.
    """
    word = st.text(_WORD, min_size=1, max_size=5)
    words = st.tuples(word, st.lists(st.tuples(st.sampled_from([".", "_", "__", "-", "---"]), word), max_size=1))
    part = words.map(lambda pair: pair[0] + "".join(sign + more for sign, more in pair[1]))
    domains = ["docker.io", "localhost", "ghcr.io", "Host", "a-b.example:5000", "127.0.0.1:80", "[2001:db8::1]:5000"]
    tags = st.text(_WORD + _WORD.upper() + "_", min_size=1, max_size=1).flatmap(
        lambda first: st.text(_WORD + _WORD.upper() + "._-", max_size=6).map(first.__add__)
    )
    names = st.tuples(st.sampled_from(domains), st.lists(part, min_size=1, max_size=3).map("/".join))
    return st.builds(
        lambda name, **rest: attrs.evolve(Reference.parse("/".join(name)), **rest),
        names,
        tag=_perhaps(tags, tag),
        digest=_perhaps(digests(), digest),
    )


def _perhaps(found: st.SearchStrategy[object], wanted: bool | None) -> st.SearchStrategy[object]:
    return st.none() if wanted is False else found if wanted else st.none() | found
