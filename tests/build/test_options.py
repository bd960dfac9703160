"""What a layer is made to be: defaults that give the same layer everywhere, and values that mean something."""

import pytest

from oci_layers.build.ignore import Ignore
from oci_layers.build.options import Codec, LayerOptions, is_portable_xattr
from oci_layers.errors import NameFormatError, UnsafePathError, WhiteoutError


def test_the_defaults_change_no_owner_and_no_mode(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    options = LayerOptions()
    assert (options.prefix, options.keep_root, options.uid, options.gid, options.mode) == (b"", True, None, None, None)
    assert (options.clamp_mtime, options.nanoseconds, options.ignore) == (None, False, Ignore())


def test_the_latest_time_is_that_of_the_environment_unless_it_is_given(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert LayerOptions().clamp_mtime == 1700000000
    assert LayerOptions(clamp_mtime=5).clamp_mtime == 5
    assert LayerOptions(clamp_mtime=None).clamp_mtime is None
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "now")
    assert LayerOptions(clamp_mtime=5).clamp_mtime == 5
    with pytest.raises(NameFormatError) as caught:
        LayerOptions()
    assert (caught.value.what, caught.value.text) == ("SOURCE_DATE_EPOCH", "now")


@pytest.mark.parametrize(
    ("given", "prefix"), [("/srv/app/", b"srv/app"), (b"a//b", b"a/b"), ("./", b""), ("\udcff", b"\xff")]
)
def test_a_prefix_is_a_path_of_any_form(given, prefix):
    assert LayerOptions(prefix=given).prefix == prefix


@pytest.mark.parametrize(("given", "error"), [("../a", UnsafePathError), ("a/.wh.b/c", WhiteoutError)])
def test_a_prefix_that_no_layer_can_have_is_refused(given, error):
    with pytest.raises(error):
        LayerOptions(prefix=given)


def test_patterns_may_be_text_or_lines_or_parsed():
    parsed = Ignore.parse("a\n!b")
    assert LayerOptions(ignore="a\n!b").ignore == LayerOptions(ignore=["a", "!b"]).ignore == parsed
    assert LayerOptions(ignore=parsed).ignore is parsed


@pytest.mark.parametrize(
    ("name", "portable"),
    [
        (b"user.note", True),
        (b"security.capability", True),
        (b"system.posix_acl_access", True),
        (b"trusted.note", True),
        (b"security.selinux", False),
        (b"security.SMACK64EXEC", False),
        (b"security.ima", False),
        (b"trusted.overlay.opaque", False),
        (b"user.overlay.origin", False),
    ],
)
def test_labels_of_the_machine_are_not_those_of_the_file(name, portable):
    assert is_portable_xattr(name) is portable


@pytest.mark.parametrize(
    ("compression", "media_type"),
    [
        ("", "application/vnd.oci.image.layer.v1.tar"),
        ("gzip", "application/vnd.oci.image.layer.v1.tar+gzip"),
        ("zstd", "application/vnd.oci.image.layer.v1.tar+zstd"),
    ],
)
def test_a_codec_has_a_media_type(compression, media_type):
    assert Codec(compression=compression).media_type == media_type
