"""What holds on every page: axe, reflow, strict policy, keyboard, no scripts."""
