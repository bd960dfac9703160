"""Keep what reproduces a failure: the layout, its layers as text, and the two listings."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from oci_layers.testing.judge.sandbox import REF
from oci_layers.testing.judge.verdict import Verdict
from oci_layers.testing.stack import write_layers
from oci_layers.tree.dump import dump
from oci_layers.tree.tree import FileTree

__all__ = ["keep_layout"]


def keep_layout(directory: Path, verdict: Verdict, tars: Sequence[bytes], expected: FileTree | None) -> Path:
    """Write a layout whose image is named `case`, and return it; its directory has the texts, too.

    Raises:
        OSError: The files cannot be written.
    """
    name = re.sub(r"[^\w.-]+", "-", verdict.id)
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    home = next(home for each in names if not (home := directory / each).exists())
    home.mkdir(parents=True)
    layout = Path(write_layers(home / "layout", tars, REF))
    texts = {
        "sentence.txt": f"{verdict.id} ({verdict.level}): {verdict.sentence}\n{verdict.message}\n",
        "layers.txt": "".join(f"layer\n{text}\n" for text in verdict.layers),
        "expected.txt": "" if expected is None else dump(expected),
        "actual.txt": "".join(f"{line}\n" for line in verdict.actual or ()),
    }
    for file, text in texts.items():
        if text:
            (home / file).write_text(text, encoding="utf-8")
    return layout
