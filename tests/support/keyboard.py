"""A person without a mouse."""

from playwright.sync_api import Locator, Page

#: How many presses of Tab it is from here to an element: what has the focus in turn is in order.
DISTANCE = """
(wanted) => {
  const chosen = "a[href], button, input, select, textarea, summary, [tabindex]";
  const all = [...document.querySelectorAll(chosen)].filter((one) =>
    one.tabIndex >= 0 && !one.disabled && one.checkVisibility({ visibilityProperty: true }));
  const from = all.findLastIndex((one) => one === document.activeElement ||
    one.compareDocumentPosition(document.activeElement) & Node.DOCUMENT_POSITION_FOLLOWING);
  return (all.indexOf(wanted) - from - 1 + all.length) % all.length + 1;
}
"""
IS_FOCUSED = "(element) => element === document.activeElement"
#: Presses that the count may be wrong by: radio buttons are one stop together, for one.
MORE = 12


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus."""
    wanted.first.wait_for()
    if wanted.first.evaluate(IS_FOCUSED):
        return
    for _ in range(max(0, wanted.first.evaluate(DISTANCE) - MORE)):
        page.keyboard.press("Tab")
    for _ in range(2 * MORE):
        if wanted.first.evaluate(IS_FOCUSED):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} cannot be reached by Tab.")


def press(page: Page, wanted: Locator) -> None:
    """Press a button or follow a link."""
    tab_to(page, wanted)
    page.keyboard.press("Enter")


def write(page: Page, wanted: Locator, text: str) -> None:
    """Replace what a field holds."""
    tab_to(page, wanted)
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def keys(page: Page, *wanted: str) -> None:
    """Shortcuts, one after the other."""
    for key in wanted:
        page.keyboard.press(key)
