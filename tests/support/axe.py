"""axe-core in a page: what it finds against WCAG 2.2 AA and its own best practices."""

from functools import cache
from importlib import resources
from typing import Any

from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: What another theme or width may change; everything else is a matter of the markup.
LOOKS = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]
LOOKS += ["link-name", "button-name", "label", "select-name", "summary-name", "empty-heading"]
RUN = """
async (options) => (await axe.run(document, options)).violations.flatMap((one) =>
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
MOST = 5


@cache
def source() -> str:
    """The library's text; it goes into a page past its policy, as a browser's own tools do."""
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


def shorten(page: Page) -> None:
    """Leave the first ones of elements that are alike."""
    page.evaluate(SHORTEN, MOST)


def problems(page: Page, *, looks_only: bool = False) -> list[str]:
    """A line for each element that breaks a rule."""
    rules: dict[str, Any] = {"type": "tag", "values": TAGS}
    if looks_only:
        rules = {"type": "rule", "values": LOOKS}
    options = {"runOnly": rules, "resultTypes": ["violations"], "preload": False, "iframes": False}
    found = page.evaluate(RUN, options)
    return [f"{rule} at {target}: {message}\n    {html}" for rule, target, html, message in found]
