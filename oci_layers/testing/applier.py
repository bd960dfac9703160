"""The tests of what applies layers: the cases that ship with the package, and generated layers that the oracle judges.

The judge (`oci_layers.testing.judge`) runs the implementation and finds the smallest layers that break a rule; this is
the same as tests, one for each case.
"""

import traceback
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from oci_layers.testing.case import Case, Level
from oci_layers.testing.cases import cases
from oci_layers.testing.judge.program import Function, ProgramError
from oci_layers.testing.judge.report_text import verdict_lines
from oci_layers.testing.judge.run import judge
from oci_layers.testing.judge.verdict import Judgement, Verdict
from oci_layers.testing.same import Attribute

__all__ = ["LayerApplierSuite"]

_FRAMES = 4
"""The calls of a traceback that a message shows, the innermost."""
_SHOWN = 8
"""The broken laws that a message shows in full."""
_SHRINK_SECONDS = 5.0


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
        refusal = ""
        try:
            self._judge(tmp_path)
        except ProgramError as error:
            refusal = str(error)
        if refusal:
            pytest.fail("\n".join([refusal, *self._traceback]), pytrace=False)

    def test_layers_make_what_the_case_says(self, case: Case, tmp_path: Path) -> None:
        (verdict,) = self._judge_if_possible(tmp_path, case=case).verdicts
        match verdict.status:
            case "skipped":
                pytest.skip(verdict.message)
            case "differs" if not self.strict:
                pytest.xfail(f"the spec leaves it open: {verdict.message}")
            case "failed" | "differs":
                where = self._traceback if verdict.actual is None else ()
                pytest.fail("\n".join([*verdict_lines(verdict), *where]), pytrace=False)
            case _:
                pass

    def test_generated_layers_make_what_the_spec_says(self, tmp_path: Path) -> None:
        if not self.examples:
            pytest.skip("no layers are generated: `examples` is 0")
        judgement = self._judge_if_possible(tmp_path, examples=self.examples)
        if not judgement.ok:
            lines = [f"{judgement.generated} generated stacks of layers came out right (seed {self.seed})", ""]
            pytest.fail("\n".join(lines + _shown(judgement.failures)), pytrace=False)

    # --- How it is run ------------------------------------------------------------------------------------------------

    _traceback: Sequence[str] = ()
    """The lines about the exception with which the last call of `apply` ended."""

    def _judge(self, directory: Path, *, case: Case | None = None, examples: int = 0) -> Judgement:
        return judge(
            Function(self._apply, self.rootfs, f"{type(self).__name__}.apply"),
            select=() if case is None else (case.id,),
            examples=examples,
            seed=self.seed,
            ignore=self.ignore,
            implied=self.implied,
            strict=self.strict,
            shrink_seconds=_SHRINK_SECONDS,
            keep=directory / "kept",
        )

    def _judge_if_possible(self, directory: Path, *, case: Case | None = None, examples: int = 0) -> Judgement:
        """Skip the test if not even one file is unpacked, which another test says."""
        try:
            return self._judge(directory, case=case, examples=examples)
        except ProgramError as error:
            pytest.skip(str(error))

    def _apply(self, layout: str, ref: str, dest: str) -> None:
        self._traceback = ()
        try:
            self.apply(layout, ref, dest)
        except BaseException as error:
            own = error.__traceback__.tb_next if error.__traceback__ else None
            parts = traceback.format_exception(type(error), error, own, limit=-_FRAMES)
            self._traceback = ("", *(f"  {line}" for line in "".join(parts).splitlines()))
            raise


def _shown(verdicts: Sequence[Verdict]) -> list[str]:
    lines = [line for verdict in verdicts[:_SHOWN] for line in (*verdict_lines(verdict), "")]
    return lines + [f"FAILED {verdict.id}: {verdict.sentence}" for verdict in verdicts[_SHOWN:]]
