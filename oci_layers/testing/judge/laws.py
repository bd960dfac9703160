"""The laws that generated layers are judged by: the rule of layer.md that each is, and its sentence.

The id of a law begins with the id of its rule in `testing.cases` and `rules`; what follows a slash tells apart what is
broken in different ways, and shrunk apart. Questions that the spec leaves open have their ids alone (`EDGE-11`).
"""

from collections.abc import Mapping

import attrs

from oci_layers.testing.case import Level
from oci_layers.testing.cases import questions

__all__ = ["LAWS", "Law", "law"]


@attrs.frozen
class Law:
    """A law: a sentence that holds for every stack of layers."""

    id: str
    level: Level
    sentence: str

    @property
    def rule(self) -> str:
        """The id of the rule."""
        return self.id.partition("/")[0]


_SAYS = {
    "WHT-01": "A whiteout removes what lower layers have at its name.",
    "WHT-01/more": "A whiteout removes its name, and no other.",
    "WHT-05": "A marker is not visible in the result.",
    "WHT-06": "A whiteout affects only lower layers: what its own layer adds stays, wherever the marker stands.",
    "WHT-06/higher": "A whiteout affects only lower layers: what a higher layer adds stays.",
    "WHT-09": "An opaque marker hides everything that lower layers have in its directory.",
    "WHT-11": "An opaque marker hides nothing that its own layer adds, wherever the marker stands.",
    "WHT-12": "A whiteout of a directory removes what is below it, too, though its layer adds the directory again.",
    "LYR-05": "A file is of the type that its entry has.",
    "LYR-08": "A hard link is one more name of its target.",
    "LYR-14": "Every entry is applied.",
    "LYR-14/more": "Nothing is there that no entry describes or implies.",
    "LYR-15/children": "A directory over a directory: what is in it stays.",
    "LYR-16": "What takes the place of another type, or of a file, removes it first, with everything below.",
    "LYR-16/links": "A file that takes the place of one name of a linked file leaves the other names as they are.",
    "MAN-14": "A legal image is unpacked.",
    "MAN-14/crash": "A program ends by itself, and in time.",
}
_ASPECTS = {
    "mode": "mode",
    "owner": "owner and group",
    "mtime": "time of modification",
    "xattrs": "extended attributes",
    "content": "content",
    "target": "target",
    "device": "device number",
}
_SAYS |= {
    f"LYR-06/{aspect}": f"What an entry describes has the {words} of the entry." for aspect, words in _ASPECTS.items()
}
_SAYS |= {
    f"LYR-15/{aspect}": f"A directory over a directory: its {_ASPECTS[aspect]} are replaced by those of the entry."
    for aspect in ("owner", "xattrs")
} | {
    f"LYR-15/{aspect}": f"A directory over a directory: its {_ASPECTS[aspect]} is replaced by that of the entry."
    for aspect in ("mode", "mtime")
}
_SAYS |= {
    f"LYR-15/root-{aspect}": f"The {words} of the root is that of its entry." for aspect, words in _ASPECTS.items()
}

_DIFF = "The layer that is made of two directories, laid over the old one, makes the new one"
_SAYS |= {
    "LYR-13": f"{_DIFF}.",
    "LYR-13/missing": f"{_DIFF}: with everything that was added.",
    "LYR-13/unexpected": f"{_DIFF}: without what was removed.",
    "LYR-13/type": f"{_DIFF}: with the types that files have now.",
    "LYR-13/links": f"{_DIFF}: with the same hard links.",
    "LYR-13/root": f"{_DIFF}: with the attributes of its root.",
    "LYR-13/refused": "Two directories give a layer.",
    "LYR-13/layer": "The layer that is made of two directories can be applied to the old one.",
}
_SAYS |= {f"LYR-13/{aspect}": f"{_DIFF}: with the {words} that files have now." for aspect, words in _ASPECTS.items()}

LAWS: Mapping[str, Law] = {
    **{id_: Law(id_, "spec", sentence) for id_, sentence in _SAYS.items()},
    "LYR-06/fraction": Law("LYR-06/fraction", "decided", "A time of modification has the fraction of its entry."),
    "LYR-13/fraction": Law("LYR-13/fraction", "decided", "Times have the fractions that they have on the disk."),
    "outside": Law("outside", "safety", "Nothing outside the destination changes."),
}
"""Every law by its id."""


def law(id_: str) -> Law:
    """Return the law with an id, or the one that a question is, whatever answers it.

    Raises:
        KeyError: There is neither.
    """
    return LAWS.get(id_) or Law(id_, "decided", questions()[id_])
