"""A judgement as one HTML page that needs nothing else: no network, no script."""

import html
from collections.abc import Iterator, Sequence

from oci_layers._text import one_line
from oci_layers.testing.judge.report_text import named_layers, told_lines, wrong_paths
from oci_layers.testing.judge.verdict import Judgement, Score, Verdict

__all__ = ["html_text"]

_STYLE = """
:root { color-scheme: light dark; --bad: #b42318; --good: #1a7f37; --note: #8a6100; --soft: #8881; --line: #8884; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8d80; --good: #6fd08c; --note: #e3b341; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p { margin: .3rem 0; } .dim { opacity: .75; }
code, pre { font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { margin: 0; padding: .5rem .7rem; background: var(--soft); border-radius: 6px; overflow-x: auto; }
.scores { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin: 1.2rem 0; }
.score { border: 1px solid var(--line); border-radius: 8px; padding: .7rem .9rem; }
.score b { display: block; font-size: 1.35rem; }
.bar { height: 6px; border-radius: 3px; background: var(--line); margin-top: .4rem; overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--good); }
.bad { color: var(--bad); } .good { color: var(--good); } .note { color: var(--note); }
details { border: 1px solid var(--line); border-radius: 8px; margin: .6rem 0; }
summary { cursor: pointer; padding: .55rem .9rem; } summary code { font-weight: 600; }
details > div { padding: 0 .9rem .9rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: .7rem; margin: .5rem 0; }
.pair h3 { font-size: .85rem; font-weight: 600; margin: .2rem 0; }
table { border-collapse: collapse; width: 100%; } td { border-top: 1px solid var(--line); padding: .3rem .5rem; }
td { vertical-align: top; overflow-wrap: anywhere; }
"""


def html_text(judgement: Judgement) -> str:
    """Return the page."""
    title = f"{judgement.program}: conformance of layers"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_shown(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(_body(judgement))
        + "\n</body>\n</html>\n"
    )


def _shown(text: str) -> str:
    """Return a line for a page."""
    return html.escape(one_line(text))


def _body(judgement: Judgement) -> Iterator[str]:
    failures = judgement.failures
    word = '<span class="good">passed</span>' if judgement.ok else f'<span class="bad">{len(failures)} failures</span>'
    yield f"<h1>{_shown(judgement.program)}: {word}</h1>"
    yield f'<p class="dim">{_shown(judgement.version)}</p>'
    yield f"<pre>{_shown(judgement.command)}</pre>"
    yield '<div class="scores">'
    yield _score("Cases that the spec decides", judgement.score("spec"))
    yield _score("Cases of safety", judgement.score("safety"))
    yield _score("Open cases, answered as here", judgement.score("decided"))
    if judgement.generated is not None:
        yield _score(f"Generated stacks, seed {judgement.seed}", judgement.generated)
    yield "</div>"
    if judgement.skipped:
        yield f"<p>{judgement.skipped} cases were not run.</p>"
    laws = [verdict for verdict in failures if verdict.generated]
    if laws:
        yield "<h2>Laws that generated layers broke, each with the smallest layers that show it</h2>"
        yield from (_details(verdict, is_open=True) for verdict in laws)
    cases = [verdict for verdict in failures if not verdict.generated]
    if cases:
        yield "<h2>Cases that failed</h2>"
        yield from (_details(verdict, is_open=len(cases) <= 5) for verdict in cases)
    differs = [verdict for verdict in judgement.verdicts if verdict.status == "differs" and verdict not in failures]
    if differs:
        yield "<h2>Where the spec leaves the outcome open, and this one differs</h2>"
        yield "<p>No failures: the spec is silent or ambiguous, and programs answer in several ways.</p>"
        yield from (_details(verdict, is_open=False) for verdict in differs)
    passed = [verdict for verdict in judgement.verdicts if verdict.status == "passed"]
    if passed:
        yield f"<h2>{len(passed)} cases passed</h2><details><summary>Show them</summary><div><table>"
        yield from (
            f"<tr><td><code>{_shown(each.id)}</code></td><td>{_shown(each.sentence)}</td></tr>" for each in passed
        )
        yield "</table></div></details>"


def _score(name: str, score: Score) -> str:
    share = 100 * score.passed / score.total if score.total else 100
    bar = f'<div class="bar"><i style="width: {share:.1f}%"></i></div>'
    return f'<div class="score">{_shown(name)}<b>{score}</b>{bar}</div>'


def _details(verdict: Verdict, *, is_open: bool) -> str:
    look = "bad" if verdict.status == "failed" else "note"
    rules = ", ".join(rule for rule in verdict.rules if rule != verdict.id)
    seen = f"&middot; in {verdict.seen} stack{'s' * (verdict.seen > 1)}" if verdict.generated else ""
    layers = "".join(
        f"<div><h3>{_shown(name)}</h3>{_pre([line.strip() for line in text.splitlines() if line.strip()])}</div>"
        for name, text in named_layers(verdict.layers)
    )
    if verdict.made:
        layers += f"<div><h3>the layer that was made</h3>{_pre(verdict.made)}</div>"
    wrong = wrong_paths(verdict)
    expected = _pre(verdict.expected, wrong, "good") if verdict.expected else "<pre>the image is to be refused</pre>"
    actual = "<pre>refused</pre>" if verdict.actual is None else _pre(verdict.actual, wrong, "bad")
    kept = f"<p>Kept: <code>{_shown(str(verdict.kept))}</code></p>" if verdict.kept else ""
    return (
        f"<details{' open' if is_open else ''}><summary><code>{_shown(verdict.id)}</code> "
        f'<span class="dim">{_shown(rules)} {seen}</span></summary><div>'
        f'<p>{_shown(verdict.sentence)}</p><p class="{look}">{_shown(verdict.message)}</p>'
        f'<div class="pair">{layers}</div>'
        f'<div class="pair"><div><h3>expected</h3>{expected}</div><div><h3>actual</h3>{actual}</div></div>{kept}'
        "</div></details>"
    )


def _pre(lines: Sequence[str], wrong: frozenset[str] = frozenset(), look: str = "") -> str:
    lines = told_lines(lines, wrong)
    rows = (
        f'<span class="{look}">{_shown(line)}</span>' if line.partition(" ")[0] in wrong else _shown(line)
        for line in lines
    )
    return f"<pre>{chr(10).join(rows)}</pre>"
