"""Verdicts about the cases that ship with the package."""

from collections.abc import Sequence

import attrs

from oci_layers import system
from oci_layers.errors import escape
from oci_layers.tar.entry import BLOCK, CHARACTER
from oci_layers.testing.case import Case
from oci_layers.testing.judge.attempt import Attempt, Conditions, attempt, shown, with_t
from oci_layers.testing.judge.laws import LAWS
from oci_layers.testing.judge.verdict import Status, Verdict
from oci_layers.testing.notation import layer_lines
from oci_layers.testing.same import Difference
from oci_layers.testing.stack import Stack
from oci_layers.tree.node import Device, Directory, File, Node
from oci_layers.tree.tree import FileTree

__all__ = ["layer_texts", "of_case", "rows_of"]


def of_case(conditions: Conditions, case: Case) -> Verdict:
    """Run a program on a case, and return the verdict."""
    verdict = Verdict(id=case.id, level=case.level, status="passed", sentence=case.sentence, rules=case.rules)
    if _needs_root(case):
        return attrs.evolve(verdict, status="skipped", message="only root can make or read what it has")
    made = attempt(
        conditions,
        case.stack or case.layers,
        _trees(case),
        touched=case.touched,
        hostile=case.level == "safety",
    )
    if case.level == "spec":
        made = made.without_fractions()
    status, message = _judged(case, made)
    if status == "passed":
        return verdict
    if made.escapes:
        verdict = attrs.evolve(verdict, level="safety", sentence=f"{LAWS['outside'].sentence} {case.sentence}")
    return attrs.evolve(
        verdict,
        status=status,
        message=message,
        layers=layer_texts(case.stack) if case.stack else tuple(case.text.split("\nlayer")),
        expected=made.expected or tuple(shown(case.expected) if case.expected and case.level != "safety" else ()),
        actual=made.actual,
        differences=rows_of(made),
        command=conditions.program.command,
    )


def _trees(case: Case) -> Sequence[FileTree]:
    """Return the trees that are right on a disk; none of a case in which it does not matter."""
    if case.level == "safety":
        return ()
    return [tree for tree in (case.disk, *case.accepted) if tree is not None]


def _needs_root(case: Case) -> bool:
    """Return whether this process may not make what a case has, or not look into it afterwards."""
    if system.effective_ids()[0] == 0:
        return False
    entries = [entry for layer in case.stack.layers for entry in layer] if case.stack else []
    nodes = [node for tree in case.accepted if tree is not None for _, node in tree.walk()]
    return any(entry.type in {BLOCK, CHARACTER} for entry in entries) or any(_is_for_root(node) for node in nodes)


def _is_for_root(node: Node) -> bool:
    """Return whether only root can make a file, or read it afterwards."""
    match node:
        case Device():
            return True
        case Directory() if node.mode & 0o700 != 0o700:
            return True
        case File() if not node.mode & 0o400:
            return True
        case _:
            return not all(key.startswith(b"user.") for key in node.xattrs)


def _judged(case: Case, made: Attempt) -> tuple[Status, str]:
    if made.escapes:
        return "failed", "it changes what is outside the destination"
    if made.crash:
        return "failed", f"{made.crash}: {made.refusal}" if made.refusal else made.crash
    if case.level == "safety":
        return "passed", ""
    bad: Status = "failed" if case.level == "spec" else "differs"
    if made.refusal is not None:
        return ("passed", "") if None in case.accepted else (bad, f"it refuses the image: {made.refusal}")
    if not _trees(case):
        return bad, "it accepts the image"
    if not made.differences:
        return "passed", ""
    return bad, what_differs(made.differences)


def what_differs(differences: Sequence[Difference]) -> str:
    """Return the first of some differences in a line."""
    first, others = differences[0], len(differences) - 1
    more = f" (and {others} more)" if others else ""
    return f"{escape(b'/' + first.path)}: {', '.join(first.what)}{more}"


def rows_of(made: Attempt) -> tuple[tuple[str | None, str | None, str], ...]:
    """Return the lines that differ."""
    return tuple(
        (each.expected and with_t(each.expected), each.actual and with_t(each.actual), ", ".join(each.what))
        for each in made.differences
    )


def layer_texts(stack: Stack) -> tuple[str, ...]:
    """Return each layer as text."""
    return tuple("\n".join(layer_lines(layer)) for layer in stack.layers)
