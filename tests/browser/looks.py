"""What a browser measures on a page: broken words, overflow, contrast, focus."""

from __future__ import annotations

from typing import Any, cast

from playwright.sync_api import Page

LONGEST_WORD = 24
"""Characters of the longest word that has to stay on one line; ids may be longer and have to be broken somewhere."""

_BROKEN_WORDS = """
(longest) => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    for (const match of node.data.matchAll(/[\\p{L}\\p{M}\\p{N}]+/gu)) {
      if (match[0].length > longest) continue;
      const range = document.createRange();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      const lines = new Set([...range.getClientRects()].filter(one => one.width > 0).map(one => Math.round(one.top)));
      if (lines.size > 1) found.push(match[0]);
    }
  }
  return found;
}
"""
_CUT_OFF = """
() => {
  const width = document.documentElement.clientWidth;
  const scrolls = element =>
    element && (getComputedStyle(element).overflowX !== 'visible' || scrolls(element.parentElement));
  return [...document.body.querySelectorAll('*')]
    .filter(one => one.getClientRects().length && !scrolls(one) && one.getBoundingClientRect().right > width + 1)
    .filter(one => getComputedStyle(one).clipPath === 'none')
    .map(one => one.outerHTML.slice(0, 120));
}
"""
_CONTRASTS = """
() => {
  const parse = text => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return {r, g, b, a};
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a),
    g: top.g * top.a + below.g * (1 - top.a),
    b: top.b * top.a + below.b * (1 - top.a),
    a: 1,
  });
  const behind = element => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) layers.push(parse(getComputedStyle(one).backgroundColor));
    return layers.reduceRight((below, top) => over(top, below), {r: 255, g: 255, b: 255, a: 1});
  };
  const luminance = colour => {
    const [r, g, b] = [colour.r, colour.g, colour.b].map(value => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    const colour = parse(getComputedStyle(element).color), back = behind(element);
    found.push(['text', walker.currentNode.data.trim().slice(0, 40), ratio(over(colour, back), back)]);
  }
  for (const input of document.querySelectorAll('input:not([type=hidden])')) {
    const style = getComputedStyle(input), around = behind(input.parentElement);
    const placeholder = getComputedStyle(input, '::placeholder');
    found.push(['border', input.name, ratio(over(parse(style.borderTopColor), around), around)]);
    found.push(['text', 'value of ' + input.name, ratio(parse(style.color), behind(input))]);
    found.push(['text', 'placeholder of ' + input.name, ratio(parse(placeholder.color), behind(input))]);
  }
  return {page: luminance(behind(document.body)), found};
}
"""


def broken_words(page: Page) -> list[str]:
    """Return words that go on in another line."""
    return cast("list[str]", page.evaluate(_BROKEN_WORDS, LONGEST_WORD))


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    return cast("int", page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def cut_off(page: Page) -> list[str]:
    """Return elements that reach beyond the right edge of the window."""
    return cast("list[str]", page.evaluate(_CUT_OFF))


def contrasts(page: Page) -> tuple[float, list[tuple[str, str, float]]]:
    """Return the luminance of the page, and the contrast of each text and border with what is behind it."""
    measured: dict[str, Any] = page.evaluate(_CONTRASTS)
    return measured["page"], [(kind, what, ratio) for kind, what, ratio in measured["found"]]
