// Everything here only removes waiting: each page works without it.
(() => {
  "use strict";
  const root = document.documentElement;
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  root.classList.add("has-js");

  // ---- saying things politely, at most one sentence every 30 s for the same reason
  let said = 0;
  function say(text, urgent) {
    if (!urgent && Date.now() - said < 30000) return;
    said = Date.now();
    one("#say").textContent = text;
  }

  // ---- rows picked to act on them together
  const boxes = () => all(".pick input");
  const picked = () => boxes().filter((box) => box.checked);
  let lastBox = null;
  function showPicked() {
    const form = one("#picked");
    if (!form) return;
    const count = picked().length, whole = one("[data-page-box]", form);
    const words = one("[data-picked]", form);
    words.textContent = count ? `${count} selected` : words.dataset.picked;
    whole.checked = count > 0 && count === boxes().length;
    whole.indeterminate = count > 0 && !whole.checked;
    for (const button of all("[data-bulk]", form)) button.setAttribute("aria-disabled", String(!count));
    form.classList.toggle("on", count > 0);
  }
  function pick(box, on, isRange) {
    const every = boxes();
    const from = isRange && every.includes(lastBox) ? every.indexOf(lastBox) : every.indexOf(box), to = every.indexOf(box);
    for (const each of every.slice(Math.min(from, to), Math.max(from, to) + 1)) each.checked = on;
    lastBox = box;
    showPicked();
  }
  function pickAll(on) { for (const box of boxes()) box.checked = on; showPicked(); }
  document.addEventListener("click", (event) => {
    if (event.target.matches(".pick input")) pick(event.target, event.target.checked, event.shiftKey);
    else if (event.target.matches("[data-page-box]")) pickAll(event.target.checked);
  });
  addEventListener("pageshow", showPicked);

  // ---- live updates: one clock, one request at a time, 204 when nothing changed
  const live = { off: false, failures: 0, busy: false, next: 0, retry: 60 };
  const region = () => one("#live-on[data-live]");

  function reason() {
    if (live.off) return "Paused by you";
    if (document.hidden) return "Paused: hidden";
    if (one("dialog[open], details.menu[open], .row-menu")) return "Paused: menu open";
    const count = picked().length;
    if (count) return `Paused: ${count} selected`;
    const selection = getSelection();
    if (selection && !selection.isCollapsed && one("#main").contains(selection.anchorNode)) return "Paused: text selected";
    const focused = document.activeElement;
    if (focused && focused.matches("#main input:not([type=checkbox]), #main textarea, #main select")) return "Paused: typing";
    return "";
  }

  function showLive(state, words) {
    const dot = one("#live-dot");
    if (!dot) return;
    dot.hidden = false;
    dot.dataset.state = state;
    dot.lastElementChild.textContent = words;
    dot.setAttribute("aria-pressed", String(live.off));
    dot.setAttribute("aria-label", words);
  }

  function period(element) {
    const seconds = Number(element.dataset.every) || 5;
    const backedOff = Math.min(60, seconds * 2 ** live.failures);
    return backedOff * 1000 * (0.9 + Math.random() * 0.2);
  }

  function tick() {
    const element = region();
    const dot = one("#live-dot");
    if (!element) { if (dot) dot.hidden = true; return; }
    const why = reason();
    if (why) { live.next = 0; return showLive("paused", why); }
    if (live.failures) showLive("retry", "Reconnecting");
    else showLive("on", `Live ${element.dataset.every} s`);
    if (live.busy || Date.now() < live.next) return;
    live.busy = true;
    htmx.trigger(element, "tick");
  }

  // the element may have been replaced by its own answer: then the event comes from a parent
  function isTick(event) {
    const element = event.detail.requestConfig ? event.detail.requestConfig.elt : event.detail.elt;
    return Boolean(element) && element.id === "live-on";
  }

  document.addEventListener("htmx:configRequest", (event) => {
    if (!isTick(event)) return;
    const parameters = event.detail.parameters;
    for (const field of all("[data-send]")) parameters[field.dataset.send] = field.dataset.value;
    const rows = all("[data-live-row]").map((row) => `${row.id}:${row.dataset.liveRow}`);
    if (rows.length) parameters.have = rows;
  });
  document.addEventListener("htmx:beforeSend", (event) => { if (isTick(event)) live.busy = true; });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!isTick(event)) return;
    live.busy = false;
    showState(event.detail.xhr.getResponseHeader("X-Trackside-State"));
    live.failures = event.detail.successful ? 0 : Math.min(6, live.failures + 1);
    live.next = Date.now() + period(region() || event.detail.elt);
  });

  // the icon of the tab says whether something is wrong, like the lines at the top of a fresh page
  function showState(state) {
    const icon = one("#icon"), address = icon && state && icon.dataset[state];
    if (address && icon.getAttribute("href") !== address) icon.setAttribute("href", address);
  }

  // a swap must not close what is open nor move what is focused
  function keepOpen(oldPart, newPart) {
    if (!oldPart || !newPart) return;
    for (const opened of all("details[open][id]", oldPart)) {
      const twin = newPart.querySelector(`#${CSS.escape(opened.id)}`);
      if (twin) twin.open = true;
    }
    const box = one(".pick input", oldPart), newBox = one(".pick input", newPart);
    if (box && newBox) newBox.checked = box.checked;
  }
  const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";
  let held = null;
  function hold(part) {
    const focused = document.activeElement;
    if (part?.id && part !== focused && part.contains(focused)) held = [part.id, all(FOCUSABLE, part).indexOf(focused)];
  }
  function regain() {
    if (!held) return;
    const [id, index] = held, part = document.getElementById(id), again = part && (all(FOCUSABLE, part)[index] || one("[data-open]", part));
    held = null;
    // it may still be there, where only what differed was changed
    if (again && !part.contains(document.activeElement)) again.focus({ preventScroll: true });
  }
  document.addEventListener("htmx:oobBeforeSwap", (event) => { hold(event.detail.target); keepOpen(event.detail.target, event.detail.fragment); });
  let wereOpen = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    hold(event.detail.target);
    if (event.detail.target) wereOpen = all("details[open][id]", event.detail.target).map((part) => part.id);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of wereOpen) { const part = document.getElementById(id); if (part) part.open = true; }
    wereOpen = [];
    regain();
    settle();
  });
  document.addEventListener("htmx:oobAfterSwap", () => { regain(); settle(); });

  function settle() {
    times();
    showPicked();
    const pill = one("#pill [data-say]");
    if (pill) say(pill.dataset.say);
    const log = one("#log");
    if (log && one("#follow")?.checked && log.dataset.bottom !== "no") log.scrollTop = log.scrollHeight;
  }

  // ---- times that move
  const UNITS = [[86400, "d"], [3600, "h"], [60, "m"]];
  function words(seconds) {
    if (seconds < 60) return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds)} s`;
    const index = UNITS.findIndex(([size]) => seconds >= size);
    const [size, name] = UNITS[index];
    const [below, belowName] = UNITS[index + 1] || [1, "s"];
    const rest = Math.floor((seconds % size) / below);
    return `${Math.floor(seconds / size)} ${name}${rest ? ` ${rest} ${belowName}` : ""}`;
  }
  function about(seconds) {
    const past = seconds >= 0, length = Math.abs(seconds);
    if (length < 5) return "now";
    const [size, name] = UNITS.find(([unit]) => length >= unit) || [1, "s"];
    const text = `${Math.floor(length / size)} ${name}`;
    return past ? `${text} ago` : `in ${text}`;
  }
  function times() {
    const now = Date.now();
    for (const part of all("[data-since]")) part.textContent = words(Math.max(0, (now - Date.parse(part.dataset.since)) / 1000));
    for (const part of all("time[data-ago]")) {
      const text = about((now - Date.parse(part.dateTime)) / 1000);
      if (part.textContent !== text) part.textContent = text;
    }
  }

  // ---- copying, also on plain http
  // what a [data-copy] gives: its value, else the whole of what it shows short
  const copied = (source) => source.dataset.copy || source.title || source.textContent;
  async function copy(text, button) {
    try { await navigator.clipboard.writeText(text); }
    catch {
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    say("Copied", true);
    if (button && !button.firstElementChild) {
      const before = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = before; }, 1200);
    }
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-copy-button], [data-copy-text], #live-dot, [aria-disabled=true]");
    if (!event.target.closest("details.menu")) for (const menu of all("details.menu[open]")) menu.open = false;
    if (!target) return;
    if (target.matches("[aria-disabled=true]")) return event.preventDefault();
    if (target.id === "live-dot") return toggleLive();
    const source = target.dataset.copyText;
    copy(source ? document.getElementById(source).textContent : target.dataset.copyButton, target);
  });
  document.addEventListener("toggle", (event) => {
    if (!event.target.matches?.("details.menu") || !event.target.open) return;
    for (const menu of all("details.menu[open]")) if (menu !== event.target) menu.open = false;
  }, true);

  function toggleLive() { live.off = !live.off; live.next = 0; tick(); }

  // ---- forms: one press is one run; the way back keeps the list's filters
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-once]")) return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    for (const button of all("[data-submit]", form)) button.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => { for (const form of all("[data-once]")) delete form.dataset.sent; });
  if (location.pathname === one("[data-filters]")?.getAttribute("action")) {
    const remember = () => sessionStorage.setItem("list", location.search);
    remember();
    document.addEventListener("htmx:pushedIntoHistory", remember);
  }
  const back = one("[data-back]");
  if (back && sessionStorage.getItem("list")) back.href += sessionStorage.getItem("list");

  // empty filters stay out of the address
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-filters]")) return;
    for (const field of event.target.elements) if (field.name && field.value === "") field.disabled = true;
  });
  addEventListener("pageshow", () => { for (const field of all("[data-filters] :disabled")) field.disabled = false; });

  // ---- JSON: where exactly it stops being JSON
  const TOKEN = /\s*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-]))|(true|false|null)(?!\w))/y;
  function mistake(text) {
    try { JSON.parse(text); return null; } catch { /* look for it */ }
    const stack = [];
    let at = 0, expects = "value";
    const stop = (what) => ({ at: at + /^\s*/.exec(text.slice(at))[0].length, what });
    while (at < text.length) {
      if (!text.slice(at).trim()) break;
      TOKEN.lastIndex = at;
      const match = TOKEN.exec(text);
      if (!match) return stop(expects === "end" ? "Nothing may follow the document" : "This is not JSON");
      const [, mark, string] = match;
      if (expects === "end") return stop("Nothing may follow the document");
      const problem = step(mark, string);
      if (problem) return stop(problem);
      at = TOKEN.lastIndex;
    }
    return stop(stack.length ? `The document ends before its ${stack.at(-1) === "{" ? "object" : "list"} does` : "A value is missing");

    function after() { return stack.length ? "comma" : "end"; }
    function step(mark, string) {
      if (expects === "colon") { if (mark !== ":") return "A colon is missing"; expects = "value"; return ""; }
      if (mark === "}" || mark === "]") {
        const opener = mark === "}" ? "{" : "[";
        if (stack.at(-1) !== opener || !["comma", "first", "firstKey"].includes(expects)) return expects === "key" || expects === "value" ? "A comma too many, or a value missing" : "This closes nothing";
        stack.pop(); expects = after(); return "";
      }
      if (expects === "comma") { if (mark !== ",") return "A comma is missing"; expects = stack.at(-1) === "{" ? "key" : "value"; return ""; }
      if (expects === "key" || expects === "firstKey") { if (!string) return "A name in double quotes is missing"; expects = "colon"; return ""; }
      if (mark === "{" || mark === "[") { stack.push(mark); expects = mark === "{" ? "firstKey" : "first"; return ""; }
      if (mark) return "A value is missing";
      expects = after();
      return "";
    }
  }

  function place(text, at) {
    const before = text.slice(0, at);
    return { line: before.split("\n").length, column: at - before.lastIndexOf("\n") };
  }
  function offset(text, line, column) {
    const lines = text.split("\n").slice(0, line - 1);
    return lines.reduce((sum, part) => sum + part.length + 1, 0) + column - 1;
  }

  for (const editor of all("[data-editor]")) {
    const area = one("textarea", editor), note = editor.parentElement.querySelector("[data-lint]");
    const gutter = document.createElement("div");
    gutter.className = "gutter";
    gutter.setAttribute("aria-hidden", "true");
    editor.classList.add("lined");
    editor.prepend(gutter);
    area.setAttribute("aria-describedby", `${area.id}_error ${area.id}_helptext`);

    function number(bad) {
      const count = area.value.split("\n").length;
      gutter.textContent = "";
      for (let line = 1; line <= Math.min(count, 20000); line++) {
        const part = document.createElement(line === bad ? "b" : "span");
        part.textContent = `${line}\n`;
        gutter.append(part);
      }
      gutter.scrollTop = area.scrollTop;
    }
    function point(line, column, what) {
      number(line);
      note.textContent = "";
      const go = document.createElement("button");
      go.type = "button";
      go.className = "small";
      go.textContent = `Line ${line}, column ${column}`;
      go.addEventListener("click", () => {
        const at = offset(area.value, line, column);
        area.focus();
        area.setSelectionRange(at, Math.min(at + 1, area.value.length));
      });
      note.append(go, ` ${what}`);
      area.setAttribute("aria-invalid", "true");
    }
    function check() {
      const found = area.value.trim() && area.value.length < 1e6 ? mistake(area.value) : null;
      if (found) { const { line, column } = place(area.value, found.at); return point(line, column, found.what); }
      note.textContent = "";
      area.removeAttribute("aria-invalid");
      number();
    }
    let waiting;
    area.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(check, 300); number(); });
    area.addEventListener("scroll", () => { gutter.scrollTop = area.scrollTop; });
    if (editor.dataset.line) point(Number(editor.dataset.line), Number(editor.dataset.column), note.textContent);
    else if (area.value !== area.defaultValue) check(); // typed before this script came, or kept by the browser
    else number();
  }
  one("[data-focus]")?.focus();

  // ---- the keyboard: the table comes with the page, the help sheet is made from the same one
  const bindings = JSON.parse(one("#bindings")?.textContent || "[]");
  let row = -1, first = "";
  function mark(step) {
    const rows = all("[data-row]").filter((entry) => entry.checkVisibility());
    if (!rows.length) return;
    rows[row]?.classList.remove("here");
    row = Math.max(0, Math.min(rows.length - 1, row + step));
    rows[row].classList.add("here");
    rows[row].scrollIntoView({ block: "nearest" });
    one("[data-open]", rows[row])?.focus({ preventScroll: true });
  }
  const here = () => one("[data-row].here");
  const there = () => here() || document.activeElement.closest("[data-row]") || document.createElement("i");
  const hereBox = () => one(".pick input", there());
  const doing = {
    jump: () => window.trackside.jump(),
    link: () => copy(location.href),
    live: toggleLive,
    next: () => mark(1),
    previous: () => mark(-1),
    open: () => one("[data-open]", here() || document.createElement("i"))?.click(),
    pick: () => { const box = hereBox(); if (box) pick(box, !box.checked); },
    span: () => { const box = hereBox(); if (box) pick(box, true, true); },
    page: () => pickAll(picked().length < boxes().length),
    copy: () => { const source = one("[data-copy]", here() || document); if (source) copy(copied(source)); },
    filter: () => one("[data-first]")?.focus(),
    escape: () => {
      const menu = one("details.menu[open]");
      if (menu) { menu.open = false; one("summary", menu).focus(); }
      else if (picked().length) pickAll(false);
      else if (here()) { here().classList.remove("here"); row = -1; }
      else document.activeElement.blur();
    },
    submit: () => document.activeElement.closest?.("form")?.requestSubmit(),
  };
  function run(binding) {
    const [kind, name] = binding.action.split(":");
    if (kind === "go") location.href = binding.href;
    else if (kind === "do") doing[name]();
    else ((picked().length && one(`[data-bulk="${name}"]`)) || one(`[data-row-act="${name}"]`, there()) || one(`[data-act="${name}"]`))?.click();
  }
  document.addEventListener("keydown", (event) => {
    const editing = event.target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (event.key === "Escape") return doing.escape();
    if (event.key === "Enter" && event.target.matches(".pick input")) {
      event.preventDefault();
      return one("[data-open]", event.target.closest("[data-row]")).click();
    }
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") return doing.submit();
    if ((event.ctrlKey || event.metaKey) && event.key === "k") { event.preventDefault(); return doing.jump(); }
    const keys = document.body.dataset.keys;
    if (editing || event.ctrlKey || event.metaKey || !keys || event.altKey !== (keys === "alt")) return;
    const pressed = first ? `${first} ${event.key}` : event.key;
    const binding = bindings.find((entry) => entry.keys === pressed);
    first = "";
    if (binding) { event.preventDefault(); return run(binding); }
    if (bindings.some((entry) => entry.keys.startsWith(`${pressed} `))) { first = pressed; setTimeout(() => { first = ""; }, 1200); }
  });

  // ---- small helps
  for (const field of all("[data-filter]")) field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const entry of all("[data-row]")) entry.hidden = !one("[data-open]", entry).textContent.toLowerCase().includes(wanted);
  });
  const zones = one("#zones");
  one("#tz")?.addEventListener("focus", () => {
    if (zones.childElementCount > 1) return;
    for (const name of Intl.supportedValuesOf?.("timeZone") || []) zones.append(new Option(name, name));
  });
  document.addEventListener("scroll", (event) => {
    if (event.target.id === "log") event.target.dataset.bottom = event.target.scrollHeight - event.target.scrollTop - event.target.clientHeight < 40 ? "yes" : "no";
  }, true);

  window.trackside = { copy, copied, say, about, jump: () => one("#jump")?.focus() };
  times();
  setInterval(times, 1000);
  setInterval(tick, 250);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { live.next = 0; tick(); } });
})();
