"""Descriptors as values, and the empty descriptor (ART-01)."""

from oci_layers.spec.codec import unstructure
from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR, Descriptor
from oci_layers.spec.digest import Digest


def test_the_empty_descriptor_is_that_of_the_spec():
    assert unstructure(EMPTY_DESCRIPTOR) == {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "size": 2,
        "data": "e30=",
    }


def test_the_descriptor_of_some_bytes_has_their_digest_and_length():
    """DSC-07: zero is a length like any other."""
    assert Descriptor.of(b"", media_type="a/b") == Descriptor(media_type="a/b", digest=Digest.of(b""), size=0)


def test_a_descriptor_can_be_a_member_of_a_set():
    plain = Descriptor.of(b"x", media_type="a/b")
    named = Descriptor(media_type="a/b", digest=plain.digest, size=1, annotations={"name": "x"})

    assert len({plain, named, Descriptor.of(b"x", media_type="a/b")}) == 2
