"""The chart of bench/plot.py, written as plain SVG: small, and its text stays text.
SPDX-License-Identifier: MIT"""
import math
from html import escape

WIDTH, LEFT, RIGHT, TOP, LINE, GAP, FOOT = 880, 280, 70, 86, 17, 13, 62
COLOURS = {"pytorch": "#c2410c", "scikit-learn": "#0369a1", "fann": "#4d7c0f"}
STYLE = ("text{font:13px system-ui,sans-serif;fill:#1f2937}.title{font-size:17px;font-weight:600}"
         ".name{font-weight:600}.small{font-size:11px;fill:#4b5563}.grid{stroke:#e5e7eb}"
         ".one{stroke:#1f2937;stroke-dasharray:4 3}")


def text(x, y, content, kind="", anchor="start", fill=""):
    kind, fill = (f' class="{kind}"' if kind else ""), (f' style="fill:{fill}"' if fill else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}{fill}>{escape(content)}</text>'


def line(x1, y1, x2, y2, attributes):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {attributes}/>'


class Scale:
    """A logarithmic axis over ratios, 1 always on it."""

    def __init__(self, values):
        self.low = math.log10(min(0.8, min(values) * 0.85))
        self.high = math.log10(max(2.0, max(values) * 1.15))

    def place(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def ticks(self):
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        steps = (1, 2, 5) if self.high - self.low < 3 else (1,)
        values = [step * 10.0**d for d in decades for step in steps]
        return [v for v in values if self.low <= math.log10(v) <= self.high]


def ratios(peers, names, programs, versions):
    """numann's rate over each peer's, a group a row, the interval as a whisker."""
    groups = [(row, [(p, peers.ratio(row, p)) for p in programs if peers.ratio(row, p)])
              for row in peers.rows]
    scale = Scale([value for _, found in groups for _, ratio in found for value in ratio])
    marks, y = [], TOP
    for row, found in groups:
        marks += group(row, peers.words[row], found, y, scale)
        y += LINE * max(len(found), 2) + GAP
    body = axis(scale, y) + marks + heading(versions, names, programs) + footer(y, *peers.pairs())
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + FOOT}" role="img" '
            f'aria-label="numann beside its peers"><style>{STYLE}</style>'
            f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(body) + "\n</svg>\n")


def group(row, words, found, y, scale):
    out = [text(16, y + 12, row, "name"), text(LEFT - 12, y + 12, words[0], "small", "end"),
           text(LEFT - 12, y + 12 + LINE, words[1], "small", "end")]
    for i, (program, ratio) in enumerate(found):
        out += mark(program, ratio, y + 8 + i * LINE, scale)
    return out


def mark(program, ratio, y, scale):
    median, low, high = (scale.place(value) for value in ratio)
    colour = COLOURS[program]
    bar = f'stroke="{colour}" stroke-width="8" stroke-opacity=".3"'
    label = f"{ratio[0]:.{2 if ratio[0] < 10 else 0}f} ×"
    return [line(scale.place(1), y, median, y, bar),
            line(low, y, high, y, f'stroke="{colour}" stroke-width="2"'),
            f'<circle cx="{median:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>',
            text(max(high, scale.place(1)) + 8, y + 4, label, "small")]


def axis(scale, bottom):
    out = []
    for value in scale.ticks():
        x = scale.place(value)
        out += [line(x, TOP - 8, x, bottom, f'class="{"one" if value == 1 else "grid"}"'),
                text(x, bottom + 16, f"{value:g} ×", "small", "middle")]
    return out


def heading(versions, names, programs):
    out = [text(16, 28, f"How many times faster numann {versions['numann']} trains", "title")]
    x = 16
    for program in programs:
        if program not in versions:
            continue
        label = f"than {names[program]} {versions[program]}"
        out += [f'<circle cx="{x + 5}" cy="52" r="5" fill="{COLOURS[program]}"/>',
                text(x + 16, 56, label)]
        x += 44 + 6.8 * len(label)
    return out


def footer(bottom, pairs, interval):
    return [text(WIDTH - 16, bottom + 34, "samples/s of numann divided by samples/s of the peer, "
                 "logarithmic; to the right numann is faster", "small", "end"),
            text(WIDTH - 16, bottom + 49, f"median of {pairs} pairs, whiskers: its {interval}; "
                 "each peer in its fastest way", "small", "end")]
