"""Panels of horizontal bars as an SVG picture that can be read on light and on dark ground.

Plain text with a style sheet: no script, no font of its own, nothing fetched. The ground is left transparent and the
colours follow the reader's scheme. A title and a description say the same to those who do not see it.
"""

from xml.sax.saxutils import escape

import attrs

_WIDTH = 860
_LABEL = 300
_VALUE = 200
_ROW = 32
_HEAD = 34
_STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.head { font-weight: 600; }
.remark { font-size: 11px; fill: #59636e; }
.bar { fill: #afb8c1; }
.first { fill: #0969da; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .remark { fill: #9198a1; }
  .bar { fill: #59636e; }
  .first { fill: #4493f8; }
}
"""


@attrs.frozen
class Bar:
    """One bar; `text` is what stands at its end."""

    label: str
    remark: str
    value: float
    text: str
    first: bool = False
    """Whether it is the one that the others are compared with."""


@attrs.frozen
class Panel:
    """Bars on one scale."""

    title: str
    bars: list[Bar]


def chart(title: str, panels: list[Panel]) -> str:
    """Return the picture as an XML document."""
    body: list[str] = []
    top = 8
    for panel in panels:
        body.append(_text(0, top + 18, panel.title, "head"))
        top += _HEAD
        most = max((bar.value for bar in panel.bars), default=0) or 1
        for bar in panel.bars:
            body += _bar(bar, top, most)
            top += _ROW
        top += 14
    said = "; ".join(
        f"{panel.title}: " + ", ".join(f"{bar.label} {bar.text}" for bar in panel.bars) for panel in panels
    )
    size = f'width="{_WIDTH}" height="{top}" viewBox="0 0 {_WIDTH} {top}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title said" {size}>',
            f'<title id="title">{_escaped(title)}</title>',
            f'<desc id="said">{_escaped(said)}</desc>',
            f"<style>{_STYLE}</style>",
            *body,
            "</svg>\n",
        ]
    )


def _bar(bar: Bar, top: int, most: float) -> list[str]:
    length = max(round((_WIDTH - _LABEL - _VALUE) * bar.value / most, 1), 1)
    kind = "bar first" if bar.first else "bar"
    lines = [
        f'<rect class="{kind}" x="{_LABEL}" y="{top}" width="{length}" height="20" rx="2"/>',
        _text(_LABEL + length + 6, top + 15, bar.text, "head" if bar.first else ""),
    ]
    if bar.remark:
        lines += [_text(0, top + 8, bar.label), _text(0, top + 22, bar.remark, "remark")]
    else:
        lines.append(_text(0, top + 15, bar.label))
    return lines


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    chosen = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{chosen}>{_escaped(text)}</text>'


def _escaped(text: str) -> str:
    return escape("".join(letter for letter in text if letter.isprintable()))
