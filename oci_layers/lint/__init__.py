"""Lint: the entries of a layer, and the tree of the layers below, into findings.

`walk` checks entries and their order, `names` and `entries` check one name or one entry by itself; `linter` also
applies the layer, to find everything that `unpack` refuses or reports. The table of all rules, with severity and fix,
is `layer.rules`. Nothing is written, no content is read.

`image.lint()` checks the layers of an image; `lint` the entries of one layer, alone or over a tree:

    >>> from oci_layers.lint import LAYER_RULES, Linter, lint
    >>> from oci_layers.tar import Entry
    >>> entries = [Entry(b"etc/motd", mode=0o666), Entry(b"etc/.wh.motd"), Entry(b"../up")]
    >>> for found in lint(entries):
    ...     print(found)
    warning missing-parent layer 0: etc
    warning world-writable layer 0: etc/motd: 0666
    warning late-marker layer 0: etc/.wh.motd
    warning whiteout-and-name layer 0: etc/motd
    error climbing-name layer 0: ../up

The rule of a finding says what to do:

    >>> LAYER_RULES["late-marker"].sentence
    'The marker comes after its siblings (layer.md, Whiteouts: it should come first).'
    >>> LAYER_RULES["late-marker"].fix
    'Write markers before anything else in their directory.'

A `Linter` takes one entry at a time, for programs that use the entries themselves; after `end`, its tree is the tree
below the next layer:

    >>> linter = Linter()
    >>> findings = [found for entry in entries for found in linter.look(entry)]
    >>> findings += linter.end()
    >>> len(findings), [path for path, node in linter.tree.walk()]
    (5, [b'', b'etc', b'etc/motd'])
"""

from oci_layers.layer.rules import LAYER_RULES
from oci_layers.lint.linter import Linter, lint

__all__ = ["LAYER_RULES", "Linter", "lint"]
