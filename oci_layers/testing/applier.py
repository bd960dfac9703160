"""The tests of what applies layers: the cases that ship with the package, and generated layers that the oracle judges.

The judge (`oci_layers.testing.judge`) runs the implementation and finds the smallest layers that break a rule; this is
the same as tests, one for each case.
"""

import functools
import threading
import traceback
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import ClassVar

import attrs
import pytest

from oci_layers.testing.case import Case, Level
from oci_layers.testing.cases import cases
from oci_layers.testing.judge.attempt import Conditions, attempt
from oci_layers.testing.judge.classify import counted
from oci_layers.testing.judge.keep import keep_layout
from oci_layers.testing.judge.of_cases import of_case
from oci_layers.testing.judge.program import Function
from oci_layers.testing.judge.report_text import verdict_lines
from oci_layers.testing.judge.verdict import Verdict
from oci_layers.testing.same import Attribute
from oci_layers.testing.stack import Stack

__all__ = ["LayerApplierSuite"]

_ONE_FILE = Stack.parse("layer\n  file file text=hello")
_NOT_ONE = "it does not unpack an image of one file"
_FRAMES = 4
"""The calls of a traceback that a message shows, the innermost."""
_SHOWN = 8
"""The broken laws that a message shows in full."""


class LayerApplierSuite:
    """What applies the layers of an image to a directory must do. Define the method `apply`.

    Hostile images are among the cases, and `apply` runs in the process of the tests: run them where it does no harm if
    it writes outside of its destination, or leave `safety` out of `levels`.
    """

    rootfs: str = "."
    """Where the root of the image is in the destination."""

    ignore: Collection[Attribute] = ()
    """The attributes that are not compared: `mode`, `owner`, `mtime`, `directory-mtime`, `nanoseconds`, `xattrs`,
    `content`, `links`. Owners are compared only if root runs the tests."""

    implied: bool = False
    """Whether attributes are compared that the spec does not give: those of directories that no entry describes, and
    the times of directories in which a layer changes something without an entry for them."""

    levels: Collection[Level] = ("spec", "safety", "decided")
    """The cases that are run: what the text of the spec decides, hostile ones, and what this library decided where the
    spec is silent."""

    strict: bool = False
    """Whether a test fails that differs where the spec is silent; otherwise it is an expected failure."""

    examples: int = 100
    """How many stacks of layers are generated; 0 for none."""

    seed: int = 0
    """Another number generates other stacks."""

    def apply(self, layout: str, ref: str, dest: str) -> object:
        """Unpack an image, or raise an exception to refuse it.

        Args:
            layout: The directory of an OCI image layout.
            ref: The name of the image in it.
            dest: The directory to make, which is absent; the one that it is in exists.
        """
        raise NotImplementedError("define a method `apply` that unpacks an image")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a test of each case."""
        if "case" in metafunc.fixturenames:
            chosen = [case for case in cases() if case.level in self.levels]
            metafunc.parametrize("case", chosen, ids=[case.id for case in chosen])

    def test_an_image_of_one_file_is_unpacked(self, tmp_path: Path) -> None:
        refusal = self._refusal_of_one_file(tmp_path)
        if refusal:
            pytest.fail("\n".join([f"{_NOT_ONE}: {refusal}", *self._traceback]), pytrace=False)

    def test_layers_make_what_the_case_says(self, case: Case, tmp_path: Path) -> None:
        self._needs_one_file(tmp_path)
        verdict = of_case(self._conditions(tmp_path), case)
        match verdict.status:
            case "skipped":
                pytest.skip(verdict.message)
            case "differs" if not self.strict:
                pytest.xfail(f"the spec leaves it open: {verdict.message}")
            case "failed" | "differs":
                kept = keep_layout(tmp_path / "kept", verdict, case.layers, case.expected)
                pytest.fail(self._text(attrs.evolve(verdict, kept=kept)), pytrace=False)
            case _:
                pass

    def test_generated_layers_make_what_the_spec_says(self, tmp_path: Path) -> None:
        pytest.importorskip("hypothesis", reason="hypothesis, which generates layers, is not installed")
        from oci_layers.testing.judge.of_stacks import judged_stacks, outcome

        if not self.examples:
            pytest.skip("no layers are generated: `examples` is 0")
        self._needs_one_file(tmp_path)
        conditions = self._conditions(tmp_path)
        generated = judged_stacks(
            functools.partial(outcome, conditions),
            conditions.program.command,
            examples=self.examples,
            seconds=None,
            seed=self.seed,
            shrink_seconds=5,
            mapped=map,
            progress=lambda *_: None,
        )
        counted_as = {"failed", "differs"} if self.strict else {"failed"}
        broken = [verdict for verdict in generated.verdicts if verdict.status in counted_as]
        if broken:
            lines = [f"{generated.score} generated stacks of layers (seed {self.seed}) came out right", ""]
            for verdict in broken[:_SHOWN]:
                lines += [*verdict_lines(verdict), ""]
            lines += (f"FAILED {verdict.id}: {verdict.sentence}" for verdict in broken[_SHOWN:])
            pytest.fail("\n".join(lines), pytrace=False)

    # --- How it is run ------------------------------------------------------------------------------------------------

    _traceback: Sequence[str] = ()
    """The lines about the exception with which the last call of `apply` ended."""
    _refusal: ClassVar[str | None] = None
    """Why an image of one file is not unpacked; empty if it is, None if that is not known."""

    def _conditions(self, directory: Path) -> Conditions:
        program = Function(self._apply, self.rootfs, f"{type(self).__name__}.apply")
        return Conditions(program, counted(self.ignore, implied=self.implied), 60.0, directory, threading.Event())

    def _apply(self, layout: str, ref: str, dest: str) -> None:
        self._traceback = ()
        try:
            self.apply(layout, ref, dest)
        except BaseException as error:
            own = error.__traceback__.tb_next if error.__traceback__ else None
            parts = traceback.format_exception(type(error), error, own, limit=-_FRAMES)
            self._traceback = ("", *(f"  {line}" for line in "".join(parts).splitlines()))
            raise

    def _refusal_of_one_file(self, directory: Path) -> str:
        made = attempt(self._conditions(directory), _ONE_FILE, [_ONE_FILE.tree()])
        return made.refusal or made.crash

    def _needs_one_file(self, directory: Path) -> None:
        """Skip the test if not even one file is unpacked, which another test says."""
        known: str | None = vars(type(self)).get("_refusal")
        if known is None:
            known = self._refusal_of_one_file(directory)
            type(self)._refusal = known  # noqa: SLF001  # one of its own
        if known:
            pytest.skip(f"{_NOT_ONE}: {known}")

    def _text(self, verdict: Verdict) -> str:
        return "\n".join([*verdict_lines(verdict), *(self._traceback if verdict.actual is None else ())])
