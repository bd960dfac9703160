"""Law: every field of `Limits` holds at every public door through which its input comes, whatever the policy."""

import io
import json

import attrs
import pytest

from oci_layers import FileTree, ImagePath, Limits, Policy, apply, check_image, decode, open_image, read_tar
from oci_layers.cli.main import main
from oci_layers.errors import DocumentError, LimitError, LinkError
from oci_layers.lint import lint
from oci_layers.tree import dump, parse
from tests.support import docker
from tests.support.blocks import END, extended, member, padded
from tests.support.layers import Built, d, f, image, sym, tar

LONG = "é" * 60  # needs a PAX header
SPARSE = (
    extended(
        (b"GNU.sparse.major", b"1"),
        (b"GNU.sparse.minor", b"0"),
        (b"GNU.sparse.name", b"s"),
        (b"GNU.sparse.realsize", b"3000"),
    )
    + member(b"s", padded(b"2\n0\n512\n1024\n512\n") + bytes(1024), size=512 + 1024)
    + END
)
RICH = [d("a/"), f("a/bcd", "x" * 200, xattrs={b"user.k": b"v" * 20}), f("a/" + LONG), sym("l", "a")]
LAYERS = [tar(*RICH), tar(f("l/m"), f("n"))]
BOMB = tar(f("zeros", bytes(3 << 20)))


def opened(path, limits, **options):
    return open_image(path, limits=limits, **options)


def with_image(do):
    def door(path, limits):
        with opened(path, limits) as image:
            return do(image)

    return door


def with_layers(do):
    return with_image(lambda image: [do(layer) for layer in image.layers])


def used(iterator):
    for _ in iterator:
        pass


def files(image):
    for _, _, content in image.files():
        used(content)


def contents(image):
    return [path.read_bytes() for path in image.root.rglob("*") if path.is_file() and not path.is_symlink()]


WORDS = {"long-path": "path_bytes path_depth"}


def linted(found):
    """Lint goes on behind a name that is refused, and says so."""
    errors = [one for one in found if one.severity == "error"]
    if errors:
        raise LimitError(WORDS.get(errors[0].rule, errors[0].message), 0, 0)


def verified(path, limits):
    """A check does not raise: what is past a limit is a finding that names it."""
    found = [flaw for flaw in check_image(path, limits=limits).findings if flaw.rule.startswith("LIM-")]
    if found:
        raise LimitError(found[0].message, 0, 0)


DOORS = {
    "open": with_image(lambda image: None),
    "config": with_image(lambda image: image.config),
    "layers": with_image(lambda image: image.layers),
    "check": verified,
    "tree": with_image(lambda image: image.tree()),
    "tree strict": with_image(lambda image: image.tree(policy=Policy.preset("strict"))),
    "tree lenient": with_image(lambda image: image.tree(policy=Policy.preset("lenient"))),
    "lint": with_image(lambda image: linted(image.lint())),
    "lint lenient": with_image(lambda image: linted(image.lint(policy=Policy.preset("lenient")))),
    "files": with_image(files),
    "contents": with_image(contents),
    "Layer.entries": with_layers(lambda layer: used(layer.entries())),
    "Layer.changes": with_layers(lambda layer: used(layer.changes(policy=Policy.preset("lenient")))),
    "Layer.tree": with_layers(lambda layer: layer.tree(policy=Policy())),
}


@pytest.fixture
def unpack(tmp_path):
    """The doors that write, and the command."""
    dest = str(tmp_path / "dest")
    return {
        "unpack": with_image(lambda image: image.unpack(dest)),
        "unpack strict": with_image(lambda image: image.unpack(dest, policy=Policy.preset("strict"))),
        "unpack part": with_image(lambda image: image.unpack(dest, paths=["/"], policy=Policy.preset("lenient"))),
        "Layer.unpack": with_layers(lambda layer: layer.unpack(dest, in_place=True, policy=Policy())),
    }


READERS = [door for door in DOORS if door not in {"open", "config", "layers", "check"}]
WRITERS = ["unpack", "unpack strict", "unpack part", "Layer.unpack"]
ALL = [*READERS, *WRITERS]
TREES = [door for door in ALL if door not in {"Layer.entries", "Layer.changes"}]
LENIENT = {"tree lenient", "lint lenient", "unpack part"}
OF_ONE_LAYER = {"Layer.entries", "Layer.changes", "Layer.tree", "Layer.unpack"}
# The field, a value that the image is past, and the doors at which that matters.
CASES = {
    "document_bytes": (10, ["open", "check"]),
    "config_bytes": (10, ["config", "layers", "check", *ALL]),
    "json_depth": (1, ["open", "check"]),
    "index_depth": (0, ["open", "check"]),
    "descriptors": (1, ["open", "check"]),
    "layers": (1, ["layers", *ALL]),
    "header_bytes": (10, ALL),
    "meta_headers": (0, ALL),
    "sparse_pieces": (1, ALL),
    "xattr_bytes": (5, ALL),
    "component_bytes": (3, [door for door in ALL if door != "Layer.entries"]),
    "path_bytes": (4, [door for door in ALL if door != "Layer.entries"]),
    "path_depth": (1, [door for door in ALL if door != "Layer.entries"]),
    "links": (0, [door for door in TREES if door not in {*OF_ONE_LAYER, *LENIENT}]),
    "window_bytes": (1, [*ALL, "check"]),
    "plain_bytes": (100, [*ALL, "check"]),
    "file_bytes": (100, ALL),
    "entries": (1, ALL),
    "metadata_bytes": (3, TREES),
    "content_bytes": (50, ["contents", "Layer.tree"]),
    "ratio": (2, [*ALL, "check"]),
    "temporary_bytes": (10, ["contents"]),
}


def made(field, directory):
    """An image that is past the limit in the table, and past no other there."""
    match field:
        case "index_depth" | "descriptors":
            built = Built.of(directory, *LAYERS)
            built.write()
            inner = built.put(json.dumps(built.index).encode(), "application/vnd.oci.image.index.v1+json")
            built.index["manifests"] = [inner]
            return built.write()
        case "window_bytes":
            return image(directory, *LAYERS, compression="zstd")
        case "ratio":
            return image(directory, BOMB)
        case "sparse_pieces":
            return image(directory, SPARSE)
        case _:
            return image(directory, *LAYERS)


def test_the_table_has_every_field():
    assert list(CASES) == [field.name for field in attrs.fields(Limits)]


@pytest.mark.parametrize(("field", "door"), [(field, door) for field, (_, doors) in CASES.items() for door in doors])
def test_a_limit_holds_at_every_door(tmp_path, unpack, field, door):
    path, enter = made(field, tmp_path / "image"), (DOORS | unpack)[door]
    with pytest.raises((LimitError, LinkError)) as caught:
        enter(path, Limits(**{field: CASES[field][0]}))
    if isinstance(caught.value, LinkError):
        assert field == "links"
    else:
        assert field in caught.value.limit or (field == "links" and "0 links to follow" in caught.value.limit)


@pytest.mark.thorough
@pytest.mark.parametrize("door", [*DOORS, *WRITERS])
@pytest.mark.parametrize("field", CASES)
def test_the_same_images_are_within_the_defaults(tmp_path, unpack, field, door):
    if door != "Layer.unpack":
        (DOORS | unpack)[door](made(field, tmp_path / "image"), Limits())


@pytest.mark.parametrize(
    ("limits", "ask"),
    [
        (Limits(links=0), lambda tree: tree.get("l/x")),
        (Limits(links=0), lambda tree: list(tree.walk("l/x"))),
        (Limits(path_bytes=2), lambda tree: tree.get("l/x")),
        (Limits(path_depth=1), lambda tree: tree.require("l/x")),
        (Limits(content_bytes=0), lambda tree: ImagePath(tree, "d/x").read_text()),
    ],
)
def test_a_tree_holds_its_own_limits_and_so_do_its_forks(limits, ask):
    text = "/d dir 0755 0:0 0\n/d/x file 0644 0:0 0 text=1\n/l symlink 0777 0:0 0 target=d"
    for tree in (parse(text, limits=limits), parse(text, limits=limits).fork()):
        with pytest.raises((LimitError, LinkError)):
            ask(tree)
    assert dump(parse(text))


@pytest.mark.parametrize("limits", [Limits(path_depth=1), Limits(metadata_bytes=1), Limits(entries=1)])
def test_the_functions_of_layers_take_limits(limits):
    layer = tar(f("a/b"), f("c"))
    with pytest.raises(LimitError):
        apply(decode(read_tar(io.BytesIO(layer), limits=limits), limits=limits), FileTree(limits=limits))
    try:
        found = list(lint(read_tar(io.BytesIO(layer), limits=limits), limits=limits))
    except LimitError:
        return
    assert any(one.severity == "error" for one in found)


@pytest.mark.parametrize("field", ["entries", "header_bytes", "document_bytes", "temporary_bytes", "plain_bytes"])
def test_the_archive_around_an_image_is_held_to_them_too(tmp_path, capsys, field):
    name = b"x" * 120 if field == "header_bytes" else b"x"
    raw = tar(f(name + b"\xff", "extra"), *docker.classic(LAYERS[0]))
    file = tmp_path / "a.tar"
    file.write_bytes(docker.COMPRESS["gzip"](raw) if field in {"temporary_bytes", "plain_bytes"} else raw)
    with pytest.raises(LimitError) as caught:
        open_image(file, limits=Limits(**{field: 5}))
    assert caught.value.limit == field
    for verb in (["ls"], ["unpack"], ["validate"], ["inspect"], ["lint"]):
        dest = [str(tmp_path / "dest")] if verb == ["unpack"] else []
        assert main([*verb, str(file), *dest, "--limit", f"{field}=5"]) == 1
        said = capsys.readouterr()
        assert f"limit {field} is 5" in said.err + said.out


def test_a_limit_that_a_document_is_past_is_no_malformed_document():
    assert not issubclass(LimitError, DocumentError)
