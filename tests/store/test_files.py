"""The files of a layout, in a directory and in whatever else has files."""

import io

import attrs
import pytest

from oci_layers import Limits, open_image
from oci_layers.errors import DocumentError, LimitError, StoreError
from oci_layers.store.files import parse_index_file, read_file, read_index_bytes, read_layout_index
from tests.support.layers import f, image, tar

LAYER = tar(f("a", "a"))
MARKER = b'{"imageLayoutVersion":"1.0.0"}'
INDEX = b'{"schemaVersion":2,"manifests":[]}'


@attrs.define
class Files:
    """Files in memory; remembers the streams that were opened."""

    files: dict
    place: str = "somewhere"
    blobs: object = None
    opened: list = attrs.field(factory=list)

    def open_file(self, name):
        if name not in self.files:
            return None
        self.opened.append(io.BytesIO(self.files[name]))
        return self.opened[-1]


def refused(error, directory, name="oci:{}", **options):
    with pytest.raises(error) as raised:
        open_image(name.format(directory), **options)
    return raised.value


def test_a_file_is_read_whole_up_to_its_limit_and_closed():
    files = Files({"name": b"x" * 200_000})
    assert read_file(files, "name", limit="document_bytes", allowed=200_000) == b"x" * 200_000
    with pytest.raises(LimitError) as caught:
        read_file(files, "name", limit="document_bytes", allowed=199_999)
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("document_bytes", 199_999, 200_000)
    assert read_file(files, "absent", limit="document_bytes", allowed=1) is None
    assert [each.closed for each in files.opened] == [True, True]


def test_a_layout_has_a_marker_then_an_index():
    limits = Limits()
    assert read_layout_index(Files({"oci-layout": MARKER, "index.json": INDEX}), limits).manifests == ()
    for files, reason in (
        ({}, "not an OCI image layout: there is no file oci-layout"),
        ({"index.json": INDEX}, "not an OCI image layout: there is no file oci-layout"),
        ({"oci-layout": MARKER}, "not a complete OCI image layout: there is no file index.json"),
    ):
        with pytest.raises(StoreError) as caught:
            read_layout_index(Files(files), limits)
        assert (caught.value.place, caught.value.reason) == ("somewhere", reason)


def test_the_bytes_of_an_index_are_those_of_the_file():
    raw = b' { "schemaVersion" : 2, "manifests":[ ] }\n'
    assert read_index_bytes(Files({"index.json": raw}), Limits()) == raw
    assert parse_index_file(raw, Limits()).manifests == ()


@pytest.mark.parametrize(
    ("name", "raw"), [("oci-layout", b"{"), ("index.json", b"{"), ("index.json", b""), ("index.json", b"[]")]
)
def test_an_error_names_the_file(name, raw):
    files = Files({"oci-layout": MARKER, "index.json": INDEX} | {name: raw})
    with pytest.raises(DocumentError) as caught:
        read_layout_index(files, Limits())
    assert caught.value.__notes__ == [name]


def test_a_directory_without_a_marker_or_an_index_is_no_layout(tmp_path):
    error = refused(StoreError, tmp_path)
    assert (error.place, error.reason) == (str(tmp_path), "not an OCI image layout: there is no file oci-layout")
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    assert refused(StoreError, tmp_path).reason == "not a complete OCI image layout: there is no file index.json"
    (tmp_path / "oci-layout").rename(tmp_path / "index.json")
    assert refused(StoreError, tmp_path).reason == "not an OCI image layout: there is no file oci-layout"


@pytest.mark.parametrize(
    ("marker", "pointer"),
    [
        ('{"imageLayoutVersion":"2.0.0"}', "/imageLayoutVersion"),
        ("{}", "/imageLayoutVersion"),
        ("[]", ""),
        ("", ""),
    ],
)
def test_a_marker_that_is_malformed_is_refused(tmp_path, marker, pointer):
    directory = image(tmp_path, LAYER)
    (tmp_path / "oci-layout").write_text(marker)
    error = refused(DocumentError, directory)
    assert error.pointer == pointer
    assert error.__notes__ == ["oci-layout", directory]


def test_an_index_that_is_malformed_is_refused(tmp_path):
    directory = image(tmp_path, LAYER)
    (tmp_path / "index.json").write_text('{"schemaVersion": 2, "manifests": {}}')
    assert refused(DocumentError, directory).pointer == "/manifests"


@pytest.mark.parametrize("name", ["oci-layout", "index.json"])
def test_files_at_the_top_that_are_too_large_are_not_read(tmp_path, name):
    directory = image(tmp_path, LAYER)
    with open(tmp_path / name, "ab") as file:
        file.truncate(5_000_000)
    error = refused(LimitError, directory)
    assert (error.limit, error.allowed) == ("document_bytes", Limits().document_bytes)
