// The runs list: suggestions in its search box. Without this file the box is a plain one.
(() => {
  "use strict";
  const box = document.querySelector("[data-suggest]");
  if (!box) return;
  const field = box.querySelector("input"), list = box.querySelector("[role=listbox]");
  let options = [], at = -1, from = 0, asked = 0, waiting;
  const attributes = { role: "combobox", "aria-expanded": "false", "aria-controls": list.id, "aria-autocomplete": "list" };
  for (const [name, value] of Object.entries(attributes)) field.setAttribute(name, value);
  if (field.dataset.caret) {
    field.focus();
    field.setSelectionRange(Number(field.dataset.caret), Number(field.dataset.caret) + 1);
  }

  function close() {
    list.hidden = true;
    at = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }
  function show() {
    list.textContent = "";
    options.forEach((option, index) => {
      const entry = document.createElement("li"), name = document.createElement("b"), help = document.createElement("span");
      entry.id = `q-option-${index}`;
      entry.setAttribute("role", "option");
      entry.dataset.index = index;
      name.textContent = option.label;
      help.textContent = option.help;
      entry.append(name, help);
      list.append(entry);
    });
    at = -1;
    list.hidden = !options.length;
    field.setAttribute("aria-expanded", String(Boolean(options.length)));
  }
  async function ask() {
    const number = ++asked, before = field.value.slice(0, field.selectionStart);
    try {
      const answer = await fetch(`${box.dataset.suggest}?q=${encodeURIComponent(before)}`, { headers: { "HX-Request": "true" } });
      const told = answer.ok && await answer.json();
      if (!told || number !== asked || document.activeElement !== field) return;
      ({ options, from } = told);
      show();
    } catch { if (number === asked) close(); }
  }
  function mark(step) {
    const entries = [...list.children];
    entries[at]?.removeAttribute("aria-selected");
    at = (at + step + entries.length + (at < 0 && step < 0 ? 1 : 0)) % entries.length;
    entries[at].setAttribute("aria-selected", "true");
    entries[at].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", entries[at].id);
  }
  function take(option) {
    const rest = field.value.slice(field.selectionStart).replace(/^\S*\s?/, "");
    const value = field.value.slice(0, from) + option.text;
    field.value = value + rest;
    field.setSelectionRange(value.length, value.length);
    close();
    ask();
  }
  // what was offered before still stands until the answer comes, less what no longer fits
  function narrow() {
    const last = field.value.slice(from, field.selectionStart).split(/[:,]/).pop().toLowerCase();
    options = options.filter((option) => option.label.toLowerCase().includes(last));
    show();
  }
  field.addEventListener("input", () => { asked++; clearTimeout(waiting); waiting = setTimeout(ask, 120); narrow(); });
  field.addEventListener("focus", () => { if (!field.dataset.caret) ask(); });
  field.addEventListener("blur", () => setTimeout(close, 150));
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && list.hidden) { event.preventDefault(); return ask(); }
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); mark(event.key === "ArrowDown" ? 1 : -1); }
    else if ((event.key === "Enter" || event.key === "Tab") && at >= 0) { event.preventDefault(); take(options[at]); }
    else if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); close(); }
  });
  list.addEventListener("mousedown", (event) => {
    const entry = event.target.closest("[role=option]");
    event.preventDefault();
    if (entry) take(options[entry.dataset.index]);
  });
})();
