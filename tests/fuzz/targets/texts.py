"""Texts that people write: layers in notation, dumps of trees, patterns.

Laws: what is parsed is shown as text that is parsed as the same.
"""

from oci_layers.build.ignore import Ignore
from oci_layers.image.pattern import Pattern
from oci_layers.testing.notation import layer_lines, parse_layer
from oci_layers.testing.stack import Stack
from oci_layers.testing.strategies import stacks, trees
from oci_layers.tree.dump import dump, parse
from tests.fuzz.target import Target, drawn, refusals

KINDS = (
    *(b" file", b" dir", b" symlink target=", b" char device=1:3", b" block", b" fifo", b" link ", b" whiteout"),
    *(b" opaque", b" text=", b" xattr.user.a=", b" pax.a=", b" type=", b" uname=", b" 0644", b" 1:2", b" 1.5"),
    *(b"\\x0a", b'""', b"#", b" 0755 0:0 0.0", b" size=9 sha256=", b"/", b" 1_0", b"-1"),
)


def text(data):
    return data.decode("utf-8", "replace")


def read_notation(data):
    with refusals():
        Stack.parse(text(data))
    with refusals():
        entries = parse_layer(text(data))
        again = parse_layer("\n".join(layer_lines(entries)))
        assert [(entry, entry.read()) for entry in again] == [(entry, entry.read()) for entry in entries]
        return bool(entries)
    return False


def read_dump(data):
    with refusals():
        tree = parse(text(data))
        shown = dump(tree)
        assert parse(shown) == tree
        assert dump(parse(shown)) == shown
        return bool(tree.root.children)
    return False


LONG = "a" * 200
PATHS = ["a", "a/b", "a/b/c", ".git", "x.o", f"{LONG}/{LONG}b", "/".join("a" * 100), "\udcff/*", "[", "a\nb"]


def read_ignore(data):
    with refusals():
        ignore = Ignore.parse(text(data))
        for path in PATHS:
            ignore.excludes(path)
        return bool(ignore)
    return False


def read_pattern(data):
    name = data.decode("utf-8", "surrogateescape")
    with refusals():
        pattern = Pattern.parse(name)
        for path in PATHS:
            names = path.split("/")
            if pattern.parts or pattern.absolute:
                pattern.match(names)
            pattern.full_match(names)
            pattern.recursive().full_match(names)
        return True
    return False


def layers():
    """Layers in notation, legal and hostile ones."""
    return [each for hostile in (False, True) for each in drawn(stacks(layers=(1, 1), hostile=hostile).map(_lines), 20)]


def _lines(stack):
    return "\n".join(layer_lines(stack.layers[0])).encode()


def dumps():
    return drawn(trees().map(dump).map(str.encode), 40)


PATTERNS = ["a", "*", "**", "a/**/b", "!a/b\na", "*.[oa]", "[^a-c]?", "\\*", "# x\n\n/a/", "**/*.o", "a*b*c", "a**"]

TARGETS = [
    Target("notation", read_notation, layers, KINDS, 4096),
    Target("dump", read_dump, dumps, KINDS, 1024),
    Target(
        "dockerignore", read_ignore, lambda: map(str.encode, PATTERNS), (b"**/", b"*a", b"[^", b"]", b"!", b"\\"), 200
    ),
    Target("glob", read_pattern, lambda: map(str.encode, PATTERNS), (b"**/", b"*a", b"[!", b"]", b"\\", b"[a-z]"), 200),
]
