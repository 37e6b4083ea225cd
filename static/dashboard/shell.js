// The frame's helps: the palette, the clock on times, the menu of a row, the narrow navigation.
(() => {
  "use strict";
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const { copy } = window.trackside;
  const make = (name, attributes = {}, ...children) => {
    const part = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
    part.append(...children);
    return part;
  };
  const keep = (name, value) => { document.cookie = `trackside_${name}=${value}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`; };

  // ---- navigation: words or icons; parts of pages that stay open
  document.addEventListener("click", (event) => {
    const fold = event.target.closest("[data-nav]");
    if (fold) {
      const narrow = document.body.classList.toggle("nav-narrow");
      document.body.classList.toggle("nav-wide", !narrow);
      fold.setAttribute("aria-expanded", String(!narrow));
      keep("nav", narrow ? "narrow" : "wide");
    }
    const zone = event.target.closest("[data-copy-zone]");
    if (zone) {
      const address = new URL(location.href);
      address.searchParams.set("tz", zone.dataset.copyZone);
      copy(address.href, zone);
    }
  });
  document.addEventListener("toggle", (event) => {
    if (event.target.id === "strip") keep("strip", event.target.open ? "on" : "off");
    if (event.target.matches?.("details.menu[open]")) one("input:not([type=hidden]), a[href], button", one(".floating", event.target) || event.target)?.focus();
  }, true);
  const named = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (named && named.matches("details.menu")) named.open = true;

  // ---- the palette: pages, runs, tasks, queues; without it the box at the top asks the same
  const form = one(".jump");
  let palette, field, list, options = [], at = -1, asked = 0, waiting, opener;
  function build() {
    field = make("input", { type: "search", role: "combobox", "aria-label": "Jump to a run, task, queue or page", "aria-expanded": "true", "aria-controls": "palette-list", "aria-autocomplete": "list", autocomplete: "off", maxlength: "300", placeholder: "Run, task, queue, schedule, batch, token, page" });
    list = make("ul", { id: "palette-list", role: "listbox", "aria-label": "Places" });
    palette = make("dialog", { id: "palette", "aria-label": "Jump" }, field, list, make("p", { class: "dim" }, "↑ ↓ choose · Enter opens · Ctrl+Enter in a new tab · Esc closes"));
    document.body.append(palette);
    field.addEventListener("input", () => { asked++; clearTimeout(waiting); waiting = setTimeout(ask, 100); });
    field.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); mark(event.key === "ArrowDown" ? 1 : -1); }
      else if (event.key === "Enter") { event.preventDefault(); event.stopPropagation(); go(event.ctrlKey || event.metaKey); }
    });
    palette.addEventListener("click", (event) => {
      const place = event.target.closest("[role=option]");
      if (place) { at = [...list.children].indexOf(place); go(event.ctrlKey || event.metaKey); }
      else if (event.target === palette) palette.close();
    });
    palette.addEventListener("keydown", (event) => event.stopPropagation());
    palette.addEventListener("close", () => opener?.focus());
  }
  async function ask() {
    const number = ++asked;
    try {
      const answer = await fetch(`${form.getAttribute("action")}?q=${encodeURIComponent(field.value)}`, { headers: { Accept: "application/json" } });
      const told = answer.ok && await answer.json();
      if (!told || number !== asked) return;
      options = told.places;
    } catch {
      if (number !== asked) return;
      options = [];
    }
    list.textContent = "";
    options.forEach((option, index) => list.append(make("li", { role: "option", id: `place-${index}` }, make("b", {}, option.what), make("span", { class: "dim" }, option.kind))));
    at = -1;
    if (options.length && field.value.trim()) mark(1);
    else field.removeAttribute("aria-activedescendant");
  }
  function mark(step) {
    if (!options.length) return;
    list.children[at]?.removeAttribute("aria-selected");
    at = (at + step + options.length + (at < 0 && step < 0 ? 1 : 0)) % options.length;
    list.children[at].setAttribute("aria-selected", "true");
    list.children[at].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", list.children[at].id);
  }
  function go(apart) {
    const address = at >= 0 ? options[at].address : `${form.getAttribute("action")}?q=${encodeURIComponent(field.value)}`;
    if (at < 0 && !field.value.trim()) return;
    if (apart) window.open(address, "_blank"); else location.href = address;
  }
  window.trackside.jump = () => {
    if (!form || !window.HTMLDialogElement) return one("#jump")?.focus();
    if (!palette) build();
    opener = document.activeElement;
    field.value = one("#jump").value;
    palette.showModal();
    ask();
  };

  // ---- a time says what it is elsewhere
  let card;
  function shut() { card?.remove(); card = null; }
  function clock(time) {
    shut();
    const moment = new Date(time.dateTime), zone = document.body.dataset.zone;
    const shape = { dateStyle: "medium", timeStyle: "medium" };
    const line = (word, text) => [make("dt", {}, word), make("dd", {}, text)];
    const said = make("dl", {}, ...line(zone, moment.toLocaleString("en-GB", { ...shape, timeZone: zone })));
    if (zone !== "UTC") said.append(...line("UTC", moment.toLocaleString("en-GB", { ...shape, timeZone: "UTC" })));
    const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (mine !== zone && mine !== "UTC") said.append(...line("Here", moment.toLocaleString("en-GB", shape)));
    said.append(...line("", window.trackside.about((Date.now() - moment) / 1000)));
    const button = make("button", { type: "button", class: "small" }, "Copy");
    button.addEventListener("click", () => copy(moment.toISOString(), button));
    card = make("div", { class: "clock", role: "dialog", "aria-label": "This time elsewhere" }, said, button);
    one("#main").append(card);
    const place = time.getBoundingClientRect();
    card.style.top = `${Math.min(scrollY + place.bottom + 4, scrollY + innerHeight - card.offsetHeight - 8)}px`;
    card.style.left = `${Math.max(8, Math.min(place.left, innerWidth - card.offsetWidth - 8))}px`;
  }
  document.addEventListener("click", (event) => {
    const time = event.target.closest?.("time[datetime]");
    if (card?.contains(event.target)) return;
    if (time && !time.closest("a, button, summary, label")) return clock(time);
    shut();
  });

  // ---- what may be done with a row: its links once more, by keyboard too
  let menu, owner;
  function hide() { menu?.remove(); menu = null; }
  function show(button) {
    hide();
    owner = button;
    const row = button.closest("[data-row]"), open = one("[data-open]", row), id = one("[data-copy]", row);
    const entry = (word, act) => { const item = make("button", { type: "button", role: "menuitem", tabindex: "-1" }, word); item.addEventListener("click", () => { hide(); act(); }); return item; };
    menu = make("div", { class: "floating row-menu", role: "menu", "aria-label": "Row" }, entry("Open", () => open.click()), entry("Open in a new tab", () => window.open(open.href, "_blank")));
    for (const link of all("[data-row-act]:not([data-row-menu])", row)) menu.append(entry(link.title, () => link.click()));
    if (id) menu.append(entry("Copy id", () => copy(window.trackside.copied(id))));
    menu.append(entry("Copy link", () => copy(open.href)));
    for (const [word, name] of [["Runs of this task", "task"], ["Runs of this queue", "queue"]]) {
      const text = row.dataset[name];
      if (text) menu.append(entry(word, () => { location.href = `${location.pathname}?${name}=${encodeURIComponent(text)}`; }));
    }
    one("#main").append(menu);
    const place = button.getBoundingClientRect();
    menu.style.top = `${scrollY + Math.min(place.bottom, innerHeight - menu.offsetHeight - 8)}px`;
    menu.style.left = `${Math.max(8, place.right - menu.offsetWidth)}px`;
    menu.firstElementChild.focus();
    menu.addEventListener("keydown", (event) => {
      const items = [...menu.children], now = items.indexOf(document.activeElement);
      const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: items.length - 1 }[event.key];
      event.stopPropagation();
      if (to !== undefined) { event.preventDefault(); items[(to + items.length) % items.length].focus(); }
      else if (event.key === "Escape" || event.key === "Tab") { event.preventDefault(); hide(); owner.focus(); }
    });
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-row-menu]");
    if (button) return menu && owner === button ? hide() : show(button);
    if (menu && !menu.contains(event.target)) hide();
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !(card || menu)) return;
    event.stopPropagation();
    shut();
    if (menu) { hide(); owner.focus(); }
  }, true);

  // ---- where tabs are wider than the page, the open one is in sight
  one(":is(.tabs, .sections) [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  // ---- forms show what counts for what was chosen
  const kind = one("#id_kind"), parts = all("[data-when]");
  function fit() { for (const part of parts) part.hidden = !part.dataset.when.split(" ").includes(kind.value); }
  if (kind && parts.length) { kind.addEventListener("change", fit); fit(); }

  // ---- what can be undone for some seconds only
  setInterval(() => { for (const offer of all("[data-until]")) if (Date.parse(offer.dataset.until) < Date.now()) offer.remove(); }, 500);

  // ---- the newest runs came: the reader goes on where the table begins
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "results" || event.target.id === "results") one("#results caption")?.focus();
  });
})();
