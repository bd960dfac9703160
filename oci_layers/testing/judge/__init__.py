"""Judge a program that unpacks images, or that makes layers: does it follow the rules of layers?

A program is a command line, or a callable in this process. It gets the cases that come with this package, and then
generated stacks of layers; what it makes is compared with what the oracle says. A failure is shown with the smallest
layers that were found for the rule that is broken:

    >>> import oci_layers
    >>> from oci_layers.testing.judge import Judgement, judge
    >>> def unpack(layout: str, ref: str, dest: str) -> None:
    ...     with oci_layers.open_image(f"oci:{layout}:{ref}") as image:
    ...         image.unpack(dest)
    >>> judgement: Judgement = judge(unpack, select=["whiteouts/of-*"], examples=20)
    >>> judgement.ok, judgement.laws_broken
    (True, [])

What counts is said by the level of each case. `spec`: the text of the spec decides. `safety`: nothing outside the
destination may change, found by canaries around it, and any other outcome is right. `decided`: the spec leaves the
outcome open, and one that differs from this library's is reported and is no failure, unless `strict` is asked for.
Attributes that the spec does not give are not compared, unless `implied` is: those of directories that no entry
describes, and the times of directories in which a layer without an entry for them changes something.

The same as a command is `oci-layers conformance`; known programs are `PROFILES`. Hostile images are among the cases.
As root on Linux, a command sees the system through an overlay, and changes a copy alone (`view`). Otherwise, and if
the program is a callable, it may write wherever the present user may, so judge it where that does no harm.
"""

from typing import TYPE_CHECKING

from oci_layers._lazy import lazy

if TYPE_CHECKING:
    from oci_layers.testing.judge.differ import judge_differ
    from oci_layers.testing.judge.profiles import PROFILES, Profile, profile
    from oci_layers.testing.judge.program import Command, Function, Job, Program, ProgramError, Result
    from oci_layers.testing.judge.report_html import html_text
    from oci_layers.testing.judge.report_json import judgement_json
    from oci_layers.testing.judge.report_junit import junit_text
    from oci_layers.testing.judge.report_text import text_lines
    from oci_layers.testing.judge.run import judge
    from oci_layers.testing.judge.verdict import Judgement, Score, Verdict

__all__ = [
    "PROFILES",
    "Command",
    "Function",
    "Job",
    "Judgement",
    "Profile",
    "Program",
    "ProgramError",
    "Result",
    "Score",
    "Verdict",
    "html_text",
    "judge",
    "judge_differ",
    "judgement_json",
    "junit_text",
    "profile",
    "text_lines",
]

__getattr__ = lazy(
    __name__,
    {
        "PROFILES": "profiles",
        "Command": "program",
        "Function": "program",
        "Job": "program",
        "Judgement": "verdict",
        "Profile": "profiles",
        "Program": "program",
        "ProgramError": "program",
        "Result": "program",
        "Score": "verdict",
        "Verdict": "verdict",
        "html_text": "report_html",
        "judge": "run",
        "judge_differ": "differ",
        "judgement_json": "report_json",
        "junit_text": "report_junit",
        "profile": "profiles",
        "text_lines": "report_text",
    },
)
