// The page of one run: everything here only removes waiting, as in trackside.js.
(() => {
  "use strict";
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];

  // ---- live answers change only what differs: focus, open parts, scroll and selection stay
  const key = (node) => node.nodeType !== 1 ? "" : node.id || (node.nodeName === "LI" ? node.querySelector("a[id]")?.id || "" : "");
  const KEPT = { open: true, tabindex: true };
  function morph(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
    if (old.nodeType !== 1) { old.data = fresh.data; return; }
    for (const { name } of [...old.attributes]) if (!KEPT[name] && !fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (!KEPT[name] && old.getAttribute(name) !== value) old.setAttribute(name, value);
    const known = new Map([...old.childNodes].filter(key).map((node) => [key(node), node]));
    // what the script added stays where it is, at the end
    let at = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const name = key(child);
      const twin = name ? known.get(name) : at && !key(at) && at.nodeName === child.nodeName && !("kept" in (at.dataset || {})) ? at : null;
      if (!twin) { old.insertBefore(child, at); continue; }
      if (twin === at) at = at.nextSibling; else old.insertBefore(twin, at);
      morph(twin, child);
    }
    while (at) { const next = at.nextSibling; if (!at.dataset || !("kept" in at.dataset)) at.remove(); at = next; }
  }
  const MORPHED = ["tab-body", "run-head", "why", "part-metadata"];
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const fresh = event.detail.fragment.firstElementChild;
    if (!MORPHED.includes(event.detail.target.id) || !fresh) return;
    event.detail.shouldSwap = false;
    fresh.removeAttribute("hx-swap-oob");
    morph(event.detail.target, fresh);
    settle();
  });

  // ---- the tree: one stop for the Tab key, arrows inside
  const tree = () => one(".tree");
  const links = () => all(".tree [data-open]").filter((link) => link.checkVisibility());
  const branch = (link) => one(":scope > details", link.closest("li"));
  function rove(to) {
    if (!tree()) return;
    const every = all(".tree [data-open]");
    const stop = to || every.find((link) => link === document.activeElement) || one(".tree [aria-current]") || every[0];
    for (const part of all(".tree summary, .tree .go")) part.tabIndex = -1;
    for (const link of every) link.tabIndex = link === stop ? 0 : -1;
    if (to) { to.focus({ preventScroll: true }); to.closest(".tr").scrollIntoView({ block: "nearest" }); }
  }
  const above = (link) => one(":scope > .tr [data-open]", link.closest("ul").closest("li") || document.createElement("i"));
  const KEYS = {
    ArrowDown: (link) => { const every = links(); return every[every.indexOf(link) + 1]; },
    ArrowUp: (link) => { const every = links(); return every[every.indexOf(link) - 1]; },
    ArrowRight: (link) => {
      const part = branch(link);
      if (!part) return null;
      if (!part.open) { part.open = true; return null; }
      return KEYS.ArrowDown(link);
    },
    ArrowLeft: (link) => {
      const part = branch(link);
      if (part?.open) { part.open = false; return null; }
      return above(link);
    },
    Home: () => links()[0],
    End: () => links().at(-1),
    "*": (link) => { for (const part of all(":scope > li > details", link.closest("ul"))) part.open = true; return null; },
  };
  document.addEventListener("keydown", (event) => {
    const link = event.target.closest?.(".tree [data-open]");
    if (!link || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
    event.preventDefault();
    event.stopPropagation();
    const to = KEYS[event.key](link);
    if (to) rove(to);
  }, true);

  // ---- a row is looked at closely beside the tree; its triangle opens and closes it
  function choose(link) {
    const address = new URL(link.href);
    for (const other of all(".tree [aria-current]")) other.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    const sent = one("#chosen");
    if (sent) sent.dataset.value = address.searchParams.get("span");
    history.replaceState(history.state, "", address);
    rove(link);
    htmx.ajax("GET", `${location.pathname}/span${address.search}`, { target: "#inspector", swap: "innerHTML" }).then(() => {
      const inspector = one("#inspector");
      inspector.scrollTop = 0;
      if (getComputedStyle(inspector).position === "static") inspector.scrollIntoView({ block: "nearest" });
    });
  }
  document.addEventListener("click", (event) => {
    const part = event.altKey && event.target.closest(".tree .cv")?.parentElement;
    if (!part) return;
    event.preventDefault();
    const open = !part.open;
    for (const each of [part, ...all("details", part)]) each.open = open;
  });
  document.addEventListener("click", (event) => {
    const row = event.target.closest(".tree .tr");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    if (event.target.closest(".go")) return;
    const selection = getSelection();
    event.preventDefault();
    if (selection && !selection.isCollapsed && row.contains(selection.anchorNode)) return;
    choose(one("[data-open]", row));
  });

  // ---- the moment under the pointer, and a stretch of time by dragging
  const chart = () => one("#chart");
  function moment(scale, place) {
    const stretch = scale.stretches.find(([, right]) => place <= right) || scale.stretches.at(-1);
    const [left, right, start, end] = stretch;
    return start + (end - start) * Math.max(0, Math.min(1, (place - left) / (right - left)));
  }
  function lasting(seconds) {
    if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
    if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
    const parts = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
    const index = parts.findIndex(([size]) => seconds >= size), [size, name] = parts[index], below = parts[index + 1];
    const rest = below ? Math.floor((seconds % size) / below[0]) : 0;
    return `${Math.floor(seconds / size)} ${name}${rest ? ` ${rest} ${below[1]}` : ""}`;
  }
  function clock(scale, seconds) {
    const at = new Date(Date.parse(scale.origin) + seconds * 1000);
    try { return at.toLocaleTimeString("en-GB", { timeZone: scale.zone, hour12: false, timeZoneName: "short" }); }
    catch { return at.toISOString().slice(11, 19) + " UTC"; }
  }
  let drag = null, at = null;
  function line() {
    let found = one("#chart > .brush");
    if (!found) { found = document.createElement("div"); found.className = "brush"; found.dataset.kept = ""; found.append(document.createElement("span")); found.setAttribute("aria-hidden", "true"); chart().append(found); }
    return found;
  }
  function draw(lane, from, to) {
    const scale = JSON.parse((lane.closest("[data-chart]")).dataset.chart), box = lane.getBoundingClientRect(), frame = chart().getBoundingClientRect();
    const mark = line(), [left, right] = from < to ? [from, to] : [to, from], start = moment(scale, left), end = moment(scale, right);
    mark.style.left = `${box.left - frame.left + box.width * left / 100}px`;
    mark.style.width = `${box.width * (right - left) / 100}px`;
    mark.hidden = false;
    mark.classList.toggle("wide", right > left);
    mark.classList.toggle("left", left > 70);
    mark.firstChild.textContent = right > left ? `+${lasting(start)} to +${lasting(end)}` : `+${lasting(start)} · ${clock(scale, start)}`;
    return mark.firstChild.textContent;
  }
  const place = (lane, event) => { const box = lane.getBoundingClientRect(); return Math.max(0, Math.min(100, (event.clientX - box.left) / box.width * 100)); };
  const laneOf = (target) => target.closest?.("#chart .minimap") || (target.closest?.("#chart") && one("#chart .ruler .ln"));
  function zoom(lane, from, to) {
    const scale = JSON.parse(lane.closest("[data-chart]").dataset.chart), address = new URL(location.href);
    const [start, end] = [moment(scale, Math.min(from, to)), moment(scale, Math.max(from, to))];
    address.searchParams.set("tab", "trace");
    address.searchParams.set("t0", start.toFixed(6));
    address.searchParams.set("t1", end.toFixed(6));
    location.href = address;
  }
  document.addEventListener("pointerdown", (event) => {
    const lane = event.target.closest?.("#chart .minimap, #chart .ruler .ln");
    if (!lane || event.button || event.target.closest("a")) return;
    event.preventDefault();
    drag = { lane, from: place(lane, event) };
    lane.setPointerCapture?.(event.pointerId);
  });
  document.addEventListener("pointermove", (event) => {
    if (drag) return draw(drag.lane, drag.from, place(drag.lane, event));
    const lane = event.pointerType === "mouse" && laneOf(event.target), mark = one("#chart > .brush");
    const box = lane && lane.getBoundingClientRect();
    if (box && event.clientX >= box.left && event.clientX <= box.right) draw(lane, place(lane, event), place(lane, event));
    else if (mark && !document.activeElement.matches(".cursor")) mark.hidden = true;
  });
  document.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const { lane, from } = drag, to = place(lane, event);
    drag = null;
    if (Math.abs(to - from) > 1) zoom(lane, from, to);
  });
  document.addEventListener("dblclick", (event) => { if (event.target.closest?.("#chart .ruler .ln, #chart .minimap")) one("[data-act=whole]")?.click(); });
  document.addEventListener("keydown", (event) => {
    const cursor = event.target.closest?.("#chart .cursor"), step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!cursor || !step) return;
    event.preventDefault();
    at = Math.max(0, Math.min(100, (at ?? 0) + step * (event.shiftKey ? 10 : 1)));
    cursor.setAttribute("aria-valuenow", at);
    cursor.setAttribute("aria-valuetext", draw(one("#chart .ruler .ln"), at, at));
  });

  // ---- the width of the names, remembered
  const store = (name, value) => { try { if (value === undefined) return localStorage.getItem(name); localStorage.setItem(name, value); } catch { /* private window */ } return null; };
  function widen(part, width) {
    const share = Math.max(15, Math.min(75, width));
    // of the page, not of the chart: that may be replaced
    document.documentElement.style.setProperty("--trace-names", `${share}%`);
    part.setAttribute("aria-valuenow", Math.round(share));
    store("trace-names", share);
  }
  function settle() {
    rove();
    const box = chart();
    if (!box) return;
    if (one(".splitter", box)) return;
    const cursor = document.createElement("div");
    cursor.className = "cursor";
    cursor.dataset.kept = "";
    for (const [name, value] of Object.entries({ tabindex: 0, role: "slider", "aria-label": "Moment on the ruler", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0 })) cursor.setAttribute(name, value);
    box.append(cursor);
    const part = document.createElement("div");
    part.className = "splitter";
    part.dataset.kept = "";
    for (const [name, value] of Object.entries({ tabindex: 0, role: "separator", "aria-orientation": "vertical", "aria-label": "Width of the names", "aria-valuemin": 15, "aria-valuemax": 75, "aria-valuenow": 38 })) part.setAttribute(name, value);
    box.append(part);
    if (Number(store("trace-names"))) widen(part, Number(store("trace-names")));
    part.addEventListener("pointerdown", (event) => { event.preventDefault(); part.setPointerCapture(event.pointerId); });
    part.addEventListener("pointermove", (event) => {
      if (!part.hasPointerCapture(event.pointerId)) return;
      const frame = box.getBoundingClientRect();
      widen(part, (event.clientX - frame.left) / frame.width * 100);
    });
    part.addEventListener("dblclick", () => widen(part, 38));
    part.addEventListener("keydown", (event) => {
      const now = Number(part.getAttribute("aria-valuenow"));
      const to = { ArrowLeft: now - 2, ArrowRight: now + 2, Home: 15, End: 75 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      widen(part, to);
    });
  }
  settle();

  // ---- JSON: what may be done with a value stands beside it
  let tools = null;
  const button = (word, text) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "small";
    made.textContent = word;
    made.dataset.copyButton = text;
    return made;
  };
  function valueOf(part) {
    const value = part.querySelector(":scope > .j-str, :scope > .j-num, :scope > .j-word");
    if (!value) return null;
    const rest = part.querySelector(":scope > .jm > span");
    return value.textContent + (rest ? rest.textContent : "");
  }
  function offer(part) {
    if (tools?.parentElement && tools.closest("li") === part) return;
    tools?.remove();
    tools = document.createElement("span");
    tools.className = "jtools";
    const path = part.dataset.path, raw = valueOf(part);
    tools.append(button("Copy path", path));
    if (raw !== null) tools.append(button("Copy value", raw.startsWith('"') ? JSON.parse(raw) : raw));
    const runs = part.closest("[data-runs]").dataset.runs;
    if (raw !== null && raw.length < 300) {
      const text = raw.startsWith('"') ? JSON.parse(raw) : raw, link = document.createElement("a");
      const value = raw.startsWith('"') ? `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"` : raw;
      link.href = `${runs}?q=${encodeURIComponent(`${path}:${value}`)}`;
      link.textContent = "Runs with this value";
      tools.append(link);
    }
    one(":scope > a", part).after(tools);
  }
  for (const kind of ["mouseover", "focusin"]) document.addEventListener(kind, (event) => {
    const part = event.target.closest?.(".json-tree li");
    if (part) offer(part);
  });
  document.addEventListener("click", (event) => {
    const size = event.target.closest(".json-tree .jc"), its = size && one(":scope > details", size.closest("li") || size);
    if (its) its.open = !its.open;
    const open = event.target.closest("[data-open-all]"), shut = event.target.closest("[data-close-all]");
    if (open || shut) for (const part of all(".json-tree details:not(.jm)")) part.open = Boolean(open);
  });
  // an address may name a value inside closed ones
  function reveal() {
    const part = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!part) return;
    for (let box = part; box; box = box.parentElement) if (box.nodeName === "DETAILS" && !box.classList.contains("menu")) box.open = true;
    part.scrollIntoView({ block: "center" });
  }
  addEventListener("hashchange", reveal);
  reveal();

  // ---- facts are copied by a button that comes with the pointer or the focus
  for (const kind of ["mouseover", "focusin"]) document.addEventListener(kind, (event) => {
    const fact = event.target.closest?.(".copied dd"), text = fact?.textContent.trim();
    if (!fact || !text || text === "–" || one(".act", fact)) return;
    const made = document.createElement("button"), glyph = one("[data-copy-button] .icon");
    made.type = "button";
    made.className = "act";
    made.title = "Copy";
    made.setAttribute("aria-label", `Copy ${fact.previousElementSibling.textContent}`);
    made.dataset.copyButton = one("time", fact)?.dateTime || text;
    made.append(glyph.cloneNode(true));
    fact.append(" ", made);
  });

  // ---- the log: lines wrapped or not, followed only at its end
  const wrap = one("#wrap"), log = one("#log");
  function wrapped() { log?.classList.toggle("nowrap", !wrap.checked); store("log-wrap", wrap.checked ? "yes" : "no"); }
  if (wrap) {
    wrap.checked = store("log-wrap") !== "no";
    wrap.addEventListener("change", wrapped);
    wrapped();
  }
  const follow = one("#follow");
  function following() { log?.setAttribute("aria-live", follow?.checked && log.dataset.bottom !== "no" ? "polite" : "off"); }
  if (follow && log && !location.hash) { log.scrollTop = log.scrollHeight; following(); follow.addEventListener("change", following); log.addEventListener("scroll", following); }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-log-end]");
    if (!link || one("#log-more") || !one("#log")) return;
    event.preventDefault();
    one("#log").scrollTop = one("#log").scrollHeight;
  });

  // ---- the way on in the list one came from, and a link to what is on the page
  const list = new URLSearchParams(location.search).get("list") || (sessionStorage.getItem("list") || "").slice(1);
  if (list) for (const link of all("[data-beside]")) {
    const address = new URL(link.href);
    address.searchParams.set("list", list);
    link.href = address;
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy-link]");
    if (button) button.dataset.copyButton = location.href;
  }, true);
})();
