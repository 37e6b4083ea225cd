"""axe-core in a page: what it finds against WCAG 2.2 AA and its own best practices."""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: What another theme may change.
COLOURS = ["color-contrast", "link-in-text-block"]
#: What another width may change; everything else is a matter of the markup.
LOOKS = [*COLOURS, "scrollable-region-focusable", "target-size"]
LOOKS += ["link-name", "button-name", "label", "select-name", "summary-name", "empty-heading"]
RUN = """
async (options) => (await axe.run({ exclude: window.alike }, options)).violations.flatMap((one) =>
  one.nodes.map((node) => [one.id, node.target.join(" "), node.html.slice(0, 160),
    [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ").slice(0, 240)]))
"""
#: A long list is as good as its first entries; axe takes seconds for thousands of elements.
SHORTEN = """
(most) => {
  for (const parent of document.querySelectorAll("main, main *")) {
    const seen = {};
    for (const child of [...parent.children]) {
      const kind = child.tagName + "." + [...child.classList].sort().join(".");
      seen[kind] = (seen[kind] || 0) + 1;
      if (seen[kind] > most && !["TD", "TH", "COL"].includes(child.tagName)) child.remove();
    }
  }
}
"""
MOST = 3
#: Finds the elements that are built as others that were looked at, within parents of the same
#: styles: tags, classes, words in attributes, whether there is text, and all of it below them.
#: They keep their place and are left out, those around `main` emptied too, which axe takes a
#: while to measure. Headings stay, as their order is one of the whole page. Answers what is new.
COMPARE = r"""
(known) => {
  const seen = new Set(known.split(" ")), fresh = new Set(), below = new Map(), headed = new Set();
  const hash = (text) => {
    let [a, b] = [0xdeadbeef, 0x41c6ce57];
    for (let i = 0; i < text.length; i++) {
      a = Math.imul(a ^ text.charCodeAt(i), 2654435761);
      b = Math.imul(b ^ text.charCodeAt(i), 1597334677);
    }
    return (a >>> 0).toString(36) + (b >>> 0).toString(36);
  };
  const worded = /^[a-z-]{0,20}$/;
  const own = (element) => [element.tagName,
    ...[...element.classList].sort(),
    ...[...element.attributes].filter(({ name }) => name !== "class" && name !== "id")
      .map(({ name, value }) => name + (worded.test(value) ? "=" + value : "")).sort(),
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) ? "text" : "",
  ].join(" ");
  const whole = (element) => {
    const parts = [...element.children].map(whole);
    if (/^H[1-6]$/.test(element.tagName) || parts.some((_, i) => headed.has(element.children[i])))
      headed.add(element);
    below.set(element, hash(own(element) + parts.join()));
    return below.get(element);
  };
  const alike = [];
  const walk = (element, path) => {
    const key = hash(path + below.get(element));
    if (seen.has(key) && !headed.has(element)) return alike.push(element);
    if (!seen.has(key)) fresh.add(key), seen.add(key);
    const inner = hash(path + own(element));
    for (const child of element.children) walk(child, inner);
  };
  whole(document.documentElement);
  walk(document.body, hash(own(document.documentElement)));
  // scripts that look at the clock would miss what is gone
  for (let id = setTimeout(() => 0, 1e6); id; id--) clearTimeout(id);
  for (const element of alike) if (!element.closest("main")) element.replaceChildren();
  window.alike = alike;
  return [...fresh].join(" ");
}
"""


@cache
def source() -> str:
    """The library's text; it goes into a page past its policy, as a browser's own tools do."""
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


@dataclass
class Axe:
    """Looks at pages; at what is built alike only once, whichever page it is on."""

    _seen: str = ""

    def open(self, page: Page) -> None:
        """Choose what of the page to look at."""
        page.evaluate(SHORTEN, MOST)
        # as one text: a list of thousands takes a driver longer than axe a page
        self._seen += " " + page.evaluate(COMPARE, self._seen)


def problems(page: Page, rules: list[str] | None = None) -> list[str]:
    """A line for each element that breaks a rule."""
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS}
    options: dict[str, Any] = {"runOnly": only, "resultTypes": ["violations"]}
    found = page.evaluate(RUN, options | {"preload": False, "iframes": False})
    return [f"{rule} at {target}: {message}\n    {html}" for rule, target, html, message in found]
