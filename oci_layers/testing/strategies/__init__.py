r"""Hypothesis strategies of all that the image spec speaks of, for tests of your own code.

Layers are drawn as a `Stack`, which gives archives, or an image layout in a directory. A failure is shown as text, a
line for each entry:

    >>> import json
    >>> from hypothesis import find, given, settings
    >>> from hypothesis import strategies as st
    >>> from oci_layers.testing.strategies import stacks
    >>> quiet = settings(database=None, derandomize=True, max_examples=100, print_blob=False)
    >>> @quiet
    ... @given(stacks(layers=(1, 2)))
    ... def test_whiteouts_come_first(stack):
    ...     for layer in stack.layers:
    ...         marked = [b"/.wh." in b"/" + entry.name for entry in layer]
    ...         assert marked == sorted(marked, reverse=True)
    >>> try:
    ...     test_whiteouts_come_first()
    ... except AssertionError as error:
    ...     print(error.__notes__[0])
    Failing test case: test_whiteouts_come_first(
        stack=Stack.parse(r...
            layer
                a file
                a whiteout
            ...),
    )

Without `hostile`, every layer is legal by the spec and means one thing only. It may be as awkward as the spec allows:
entries in any order, directories without an entry, whiteouts of what the same layer adds, late opaque markers, hard
links to files of lower layers, paths through symbolic links. `features` says which of these there are, `kinds` which
kinds of entries; the options of `stacks` are those of `layers` and, but for the number of layers, of `entries`:

    >>> def least(strategy, wanted=lambda found: True):
    ...     return find(strategy, wanted, settings=quiet)
    >>> from oci_layers.testing.strategies import AWKWARD, FEATURES, KINDS, MARKERS, PORTABLE, TIDY, Feature, Kind
    >>> print(least(stacks(features=["lower-links"]), lambda stack: b"1" in [e.type for e in stack.layers[-1]]))
    layer
        a file
        b link a
    >>> print(least(stacks(awkward=False, kinds=["dir", "opaque"]), lambda stack: len(stack.layers[-1]) == 2))
    layer
        a/ dir
        b/ dir
    >>> silent: list[Feature] = ["file-parents", "bare-links"]  # of what the spec says nothing
    >>> set(FEATURES) - AWKWARD == {*silent}, TIDY < AWKWARD, PORTABLE < AWKWARD, set(MARKERS) < set(KINDS)
    (True, True, True, True)

`portable` layers are those of which programs and overlay file systems make the same. `hostile` layers have to be
refused, or have several readings; `entries` are single entries, which know nothing of one another:

    >>> from oci_layers.testing.strategies import entries, layers
    >>> lowest = least(layers(portable=True, entries=(2, 3)))
    >>> [entry.name for entry in lowest]
    [b'a', b'b']
    >>> kind: Kind = "link"
    >>> least(stacks(hostile=True), lambda stack: any(b".." in entry.name for layer in stack.layers for entry in layer))
    Stack.parse('layer\n    .. file')
    >>> least(entries(kinds=[kind], hostile=True)).linkname
    b'a'

Names and paths are bytes. The hostile ones are such as files may have: not UTF-8, with a newline or a leading dash,
very long, nearly a whiteout, in upper and lower case. Layers and trees take them, too:

    >>> from oci_layers.testing.strategies import names, paths
    >>> least(names()), least(paths(depth=(2, 4))), least(names(hostile=True), lambda name: b"\n" in name)
    (b'a', b'a/a', b'a\nb')
    >>> print(least(stacks(names=names(hostile=True), entries=(1, 1)), lambda stack: b"A" in stack.layers[0][0].name))
    layer
        A file

Trees, and lists of edits that may be made in any tree; `edits` are edits of one. `nodes` are single nodes:

    >>> from oci_layers.testing.strategies import Edit, edit_lists, edited, edits, nodes, trees
    >>> from oci_layers.tree import dump
    >>> old = least(trees(entries=(1, 3), kinds=["file"], features=[]))
    >>> print(dump(old), end="")
    / dir 0755 0:0 0.000000000
    /a file 0644 0:0 1700000000.123456789 text=
    >>> steps: list[Edit] = least(edit_lists(), lambda steps: edited(old, steps) != old)
    >>> steps
    [<put a file text=1>]
    >>> least(edits(old), lambda new: len(new) == 3) == old, least(nodes(["fifo"])).mode
    (False, 0)

Documents of all kinds keep every rule of the spec, and have fields that no one knows if `unknown`. They are drawn as
values, or as JSON, with null where a config may have it:

    >>> from oci_layers.testing.strategies import configs, descriptors, documents, image_layouts, indexes, json_of
    >>> from oci_layers.testing.strategies import manifests, platforms
    >>> few = settings(quiet, max_examples=5)
    >>> @few
    ... @given(manifests(layers=(2, 3)), indexes(), configs(docker=False), descriptors(), platforms())
    ... def test_values(manifest, index, config, descriptor, platform):
    ...     assert 2 <= len(manifest.layers) <= 3 and len(index.manifests) <= 3
    ...     assert config.config.healthcheck is None
    ...     assert descriptor.size >= 0 and platform.os in {"linux", "freebsd"}
    >>> test_values()
    >>> import oci_layers as oci
    >>> @few
    ... @given(documents(), json_of("application/vnd.oci.image.config.v1+json"), image_layouts())
    ... def test_json(pair, config, layout):
    ...     media_type, document = pair
    ...     found = oci.validate(json.dumps(document).encode(), media_type)
    ...     assert not [finding for finding in found if finding.severity == "error"]
    ...     assert len(config["rootfs"]["diff_ids"]) <= 3 and layout.image_layout_version == "1.0.0"
    >>> test_json()

What they are made of, and names of images:

    >>> from oci_layers.testing.strategies import annotations, dates, digests, media_types, ref_names, references, uris
    >>> @few
    ... @given(digests(algorithms=["sha512"]), media_types(), references(tag=True), ref_names(), annotations(size=1))
    ... def test_words(digest, media_type, reference, name, some):
    ...     assert digest.algorithm == "sha512" and "/" in media_type and reference.tag and name and len(some) <= 1
    >>> test_words()
    >>> least(dates()), least(uris())
    ('0000-01-01T00:00:00Z', 'https://e.com/a%20b?c=d/?#e/?')

Whole layouts, in memory or on disk, with images whose layers and configs exist, nested indexes, and artifacts:

    >>> from oci_layers.testing.strategies import LayoutContents, layouts
    >>> @few
    ... @given(layouts(images=(1, 1), nested=False, artifacts=False))
    ... def test_layouts(contents: LayoutContents):
    ...     with oci.open_image(contents.repository()) as image:
    ...         assert [len(image.layers)] == [len(stack.layers) for stack in contents.stacks.values()]
    >>> test_layouts()

`st.from_type` takes these strategies for the types of this library, because of the entry point that Hypothesis reads:

    >>> least(st.from_type(oci.FileTree)) == oci.FileTree()
    True
"""

from oci_layers.testing.strategies.document import documents, json_of
from oci_layers.testing.strategies.edit import Edit, edit_lists, edited, edits
from oci_layers.testing.strategies.layout import LayoutContents, layouts
from oci_layers.testing.strategies.name import names, paths
from oci_layers.testing.strategies.row import AWKWARD, FEATURES, KINDS, MARKERS, PORTABLE, TIDY, Feature, Kind
from oci_layers.testing.strategies.stack import layers, stacks
from oci_layers.testing.strategies.tree import nodes, trees
from oci_layers.testing.strategies.value import configs, descriptors, image_layouts, indexes, manifests, platforms
from oci_layers.testing.strategies.wild import entries
from oci_layers.testing.strategies.word import annotations, dates, digests, media_types, ref_names, references, uris

__all__ = [
    "AWKWARD",
    "FEATURES",
    "KINDS",
    "MARKERS",
    "PORTABLE",
    "TIDY",
    "Edit",
    "Feature",
    "Kind",
    "LayoutContents",
    "annotations",
    "configs",
    "dates",
    "descriptors",
    "digests",
    "documents",
    "edit_lists",
    "edited",
    "edits",
    "entries",
    "image_layouts",
    "indexes",
    "json_of",
    "layers",
    "layouts",
    "manifests",
    "media_types",
    "names",
    "nodes",
    "paths",
    "platforms",
    "ref_names",
    "references",
    "stacks",
    "trees",
    "uris",
]
