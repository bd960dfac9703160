"""A judgement as text for a person: of each failure the layers, what must come out, and what does; and the scores."""

from collections.abc import Callable, Iterator, Sequence

from oci_layers._text import one_line
from oci_layers.testing.judge.verdict import Judgement, Verdict

__all__ = ["named_layers", "summary_lines", "text_lines", "told_lines", "verdict_lines", "wrong_paths"]

Style = Callable[[str, str], str]
"""Gives a text a style: `bad`, `good`, `note` or `strong`."""

_MOST = 40
"""The most lines of a listing."""


def _plain(text: str, _: str) -> str:
    return text


def text_lines(judgement: Judgement, *, everything: bool = False, style: Style = _plain) -> Iterator[str]:
    """Yield the lines of the report, without line ends.

    Args:
        judgement: The judgement.
        everything: Show what differs where the spec leaves it open in full, as failures are shown.
        style: Gives parts of lines a style.
    """
    yield style(judgement.program, "strong") + (f": {judgement.version}" if judgement.version else "")
    yield f"command: {one_line(judgement.command)}"
    yield ""
    for verdict in judgement.verdicts:
        if verdict.status == "failed" or (verdict.status == "differs" and (everything or judgement.strict)):
            yield from verdict_lines(verdict, style=style)
            yield ""
    if not everything and not judgement.strict:
        differs = [verdict for verdict in judgement.verdicts if verdict.status == "differs"]
        if differs:
            yield "Where the spec leaves the outcome open, and this one differs (no failure; --all shows more):"
            yield from (f"  {verdict.id}: {one_line(verdict.message)}" for verdict in differs)
            yield ""
    yield from summary_lines(judgement, style=style)


def verdict_lines(verdict: Verdict, *, style: Style = _plain) -> Iterator[str]:
    """Yield the lines of one verdict."""
    word = {"failed": "FAILED", "differs": "differs"}.get(verdict.status, verdict.status)
    rules = ", ".join(rule for rule in verdict.rules if rule != verdict.id)
    seen = f", in {verdict.seen} generated stacks" if verdict.generated and verdict.seen > 1 else ""
    head = f"{verdict.id} ({verdict.level}{': ' if rules else ''}{rules}{seen})"
    yield f"{style(word, 'bad' if verdict.status == 'failed' else 'note')} {style(head, 'strong')}"
    yield f"  {verdict.sentence}"
    yield f"  {style(one_line(verdict.message), 'bad')}"
    for name, text in named_layers(verdict.layers):
        yield f"  {name}:"
        yield from (f"      {line.strip()}" for line in text.splitlines() if line.strip())
    if verdict.made:
        yield "  the layer that was made:"
        yield from (f"      {line}" for line in verdict.made[:_MOST])
    wrong = wrong_paths(verdict)
    yield from _listing("expected", verdict.expected, wrong, "-", "good", style)
    if verdict.actual is None:
        yield "  actual: refused"
    else:
        yield from _listing("actual", verdict.actual, wrong, "+", "bad", style)
    yield f"  command: {one_line(verdict.command)}"
    if verdict.kept is not None:
        yield f"  kept: {one_line(str(verdict.kept))}"


def named_layers(layers: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each layer with a name for a person."""
    match len(layers):
        case 1:
            names = ["layer"]
        case 2:
            names = ["lower", "upper"]
        case count:
            names = ["layer 0, the lowest", *(f"layer {number}" for number in range(1, count))]
    return zip(names, layers, strict=True)


def wrong_paths(verdict: Verdict) -> frozenset[str]:
    """Return the paths, as they are shown, at which something differs."""
    lines = [line for expected, actual, _ in verdict.differences for line in (expected, actual) if line]
    return frozenset(line.partition(" ")[0] for line in lines)


def told_lines(lines: Sequence[str], wrong: frozenset[str]) -> list[str]:
    """Return the lines of a listing that say something: the root does not where it is right."""
    return [line for line in lines if not line.startswith("/ ") or "/" in wrong] or ["(empty)"]


def _listing(
    name: str, lines: Sequence[str], wrong: frozenset[str], mark: str, look: str, style: Style
) -> Iterator[str]:
    if not lines:
        yield f"  {name}: {'the image is to be refused' if name == 'expected' else 'nothing'}"
        return
    yield f"  {name}:"
    shown = told_lines(lines, wrong)
    for line in shown[:_MOST]:
        is_wrong = line.partition(" ")[0] in wrong
        yield style(f"    {mark} {line}", look) if is_wrong else f"      {line}"
    if len(shown) > _MOST:
        yield f"      ... and {len(shown) - _MOST} more"


def summary_lines(judgement: Judgement, *, style: Style = _plain) -> Iterator[str]:
    """Yield what passed of what, and the verdict of all."""
    skipped = f"; {judgement.skipped} not run" if judgement.skipped else ""
    yield (
        f"cases: spec {judgement.score('spec')}, safety {judgement.score('safety')}, "
        f"decided {judgement.score('decided')} as here{skipped}"
    )
    if judgement.generated is not None:
        yield f"generated stacks (seed {judgement.seed}): {judgement.generated} right"
    if judgement.laws_broken:
        yield f"laws broken: {', '.join(judgement.laws_broken)}"
    count = len(judgement.failures)
    yield style("passed", "good") if judgement.ok else style(f"{count} failure{'s' * (count > 1)}", "bad")
