"use strict";
/* What a page gains from a script: sorting, filtering, searching, other axes, and events that arrive by themselves.
   Everything can be read without it. No element is ever made from a text of others: only textContent is set. */

const SVG = "http://www.w3.org/2000/svg";
const make = (name, words, parent) => {
  const element = document.createElement(name);
  if (words) element.textContent = words;
  if (parent) parent.append(element);
  return element;
};
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

function sortable(table) {
  const heads = all("thead th", table);
  heads.forEach((head, place) => {
    const button = make("button");
    button.type = "button";
    button.append(...head.childNodes);
    const arrow = make("span");
    arrow.className = "arrow";
    arrow.setAttribute("aria-hidden", "true");
    button.firstChild ? button.firstChild.after(arrow) : button.append(arrow);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const body = table.tBodies[0];
      const key = (row) => {
        const cell = row.cells[place];
        if (!cell || cell.colSpan > 1) return "";
        return cell.dataset.value ?? cell.textContent.trim();
      };
      const rows = [...body.rows].map((row) => [key(row), row]);
      rows.sort(([a], [b]) => {
        if (a === "" || b === "") return (a === "") - (b === "");
        const order = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
        return up ? order : -order;
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}

function box(tools, changed) {
  const id = `in-${tools.dataset.filter || tools.dataset.search}`;
  const label = make("label", tools.dataset.label, tools);
  label.htmlFor = id;
  const input = make("input", "", tools);
  input.type = "search";
  input.id = id;
  const count = make("span", "", tools);
  count.className = "quiet";
  count.setAttribute("role", "status");
  input.addEventListener("input", () => { count.textContent = changed(input.value.trim().toLowerCase()); });
  tools.hidden = false;
}

const FEW = 8; // rows that are seen at once

function filtered(tools) {
  const rows = all("tbody tr", document.getElementById(tools.dataset.filter));
  if (rows.length <= FEW) return;
  box(tools, (wanted) => {
    let shown = 0;
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      shown += !row.hidden;
    }
    return wanted ? `${shown} of ${rows.length}` : "";
  });
}

function searched(tools) {
  box(tools, (wanted) => {
    const items = all("details.exchange", document.getElementById(tools.dataset.search));
    let shown = 0;
    for (const item of items) {
      item.hidden = !item.textContent.toLowerCase().includes(wanted);
      shown += !item.hidden;
    }
    return wanted ? `${shown} of ${items.length} exchanges` : "";
  });
}

/* ---------------------------------------------------------------- other axes of the scatter */

function axes(tools) {
  const figure = document.getElementById(tools.dataset.axes);
  const block = document.getElementById(`${tools.dataset.axes}-data`);
  if (!figure || !block) return;
  const data = JSON.parse(block.textContent);
  const pick = {};
  for (const [name, words] of [["y", "Vertical"], ["x", "Horizontal"]]) {
    const label = make("label", words, tools);
    const select = make("select", "", tools);
    label.htmlFor = select.id = `axis-${name}`;
    for (const [key, text] of Object.entries(data.metrics)) {
      const option = make("option", text, select);
      option.value = key;
      option.selected = key === figure.dataset[name];
    }
    pick[name] = select;
    select.addEventListener("change", () => redraw(figure, data, pick.x.value, pick.y.value));
  }
  tools.hidden = false;
}

function scale(values, begin, end) {
  const low = Math.min(...values), high = Math.max(...values);
  const gap = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
  const from = low - gap, to = high + gap;
  const rough = (to - from) / (Math.abs(end - begin) > 400 || end < begin ? 5 : 3), size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * size).find((s) => s >= rough * 0.999);
  const ticks = [];
  for (let n = Math.ceil(from / step); n * step <= to; n++) ticks.push(n * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (/^25/.test(step.toPrecision(2).replace(/[0.]/g, "")) ? 1 : 0));
  return { at: (v) => begin + ((v - from) / (to - from)) * (end - begin), ticks, digits };
}

function redraw(figure, data, xKey, yKey) {
  const points = data.points.filter((p) => p.values[xKey] && p.values[yKey]);
  if (points.length) all("svg", figure).forEach((svg) => redrawn(svg, points, data, xKey, yKey));
}

function redrawn(svg, points, data, xKey, yKey) {
  const end = svg.viewBox.baseVal.width - 30;
  const x = scale(points.map((p) => p.values[xKey][0]), 56, end);
  const y = scale(points.map((p) => p.values[yKey][0]), 300, 34);
  const draw = (name, attributes, words, parent) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (words) element.textContent = words;
    parent.append(element);
    return element;
  };
  svg.replaceChildren();
  const label = `${data.metrics[yKey]} against ${data.metrics[xKey]}, ${points.length} runs`;
  svg.setAttribute("aria-label", label);
  const line = (x1, y1, x2, y2, look, parent = svg) => draw("line", { x1, y1, x2, y2, class: look }, "", parent);
  for (const t of y.ticks) {
    line(56, y.at(t), end, y.at(t), "grid");
    draw("text", { x: 48, y: y.at(t) + 4, class: "tick", "text-anchor": "end" }, t.toFixed(y.digits), svg);
  }
  for (const t of x.ticks) {
    line(x.at(t), 300, x.at(t), 304, "tickmark");
    draw("text", { x: x.at(t), y: 318, class: "tick", "text-anchor": "middle" }, t.toFixed(x.digits), svg);
  }
  line(56, 300, end, 300, "axis");
  draw("text", { x: end, y: 336, class: "name", "text-anchor": "end" }, data.metrics[xKey], svg);
  draw("text", { x: 56, y: 22, class: "name" }, data.metrics[yKey], svg);
  const crowded = points.length > 24;
  const taken = [];
  for (const p of points) {
    const [mx, ex] = p.values[xKey], [my, ey] = p.values[yKey];
    const group = draw("g", { class: `point ${p.kind}` }, "", svg);
    if (ex) line(x.at(mx - ex), y.at(my), x.at(mx + ex), y.at(my), "error", group);
    if (ey) line(x.at(mx), y.at(my - ey), x.at(mx), y.at(my + ey), "error", group);
    const mark = draw("circle", { cx: x.at(mx), cy: y.at(my), r: 5.5 }, "", group);
    draw("title", {}, `${p.label}: ${data.metrics[xKey]} ${mx.toPrecision(4)}, ${data.metrics[yKey]} ${my.toPrecision(4)}`, mark);
    if (!crowded) {
      const name = p.label.length > 24 ? p.label.slice(0, 23) + "…" : p.label, wide = 6.6 * name.length;
      const cx = x.at(mx), cy = y.at(my);
      const tries = [[cx + 10, cy + 4, "start", cx + 10], [cx - 10, cy + 4, "end", cx - 10 - wide], [cx, cy - 11, "middle", cx - wide / 2], [cx, cy + 20, "middle", cx - wide / 2]];
      const inside = ([, , , left]) => left >= 58 && left + wide <= end + 26;
      const free = ([, ty, , left]) => inside([0, 0, 0, left]) && !taken.some(([a, b, w]) => Math.abs(ty - b) < 13 && left < a + w && a < left + wide);
      const [tx, ty, anchor, left] = tries.find(free) || tries.findLast(inside) || tries[0];
      taken.push([left, ty, wide]);
      draw("text", { x: tx, y: ty, class: "name-of", "text-anchor": anchor }, name, group);
    }
  }
}

/* ---------------------------------------------------------------- curves: the one under the pointer stands out */

function highlighted(figure) {
  const items = all("[data-label]", figure);
  const show = (name) => {
    figure.classList.toggle("fading", name !== null);
    items.forEach((item) => item.classList.toggle("chosen", item.dataset.label === name));
  };
  for (const item of items) {
    item.addEventListener("mouseenter", () => show(item.dataset.label));
    item.addEventListener("mouseleave", () => show(null));
  }
}

/* ---------------------------------------------------------------- the contents follow the reader */

function following() {
  const links = new Map(all(".contents li a").map((link) => [link.getAttribute("href").slice(1), link]));
  if (!links.size || !("IntersectionObserver" in window)) return;
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting || !links.has(entry.target.id)) continue;
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(entry.target.id).setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-10% 0px -75% 0px" });
  all("main > section[id], main > header[id]").forEach((part) => seen.observe(part));
}

/* ---------------------------------------------------------------- live */

const parts = (root) => all("main > section[id], main > header[id], nav[id]", root);
const served = new Map();

function live(address) {
  parts(document).forEach((part) => served.set(part.id, part.innerHTML));
  const source = new EventSource(address);
  const say = (words) => all("[data-live-state]").forEach((place) => { place.textContent = words; });
  let busy = false, again = false;
  const renew = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.pathname, { cache: "no-store" });
      if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } finally {
      busy = false;
      if (again) { again = false; renew(); }
    }
  };
  source.addEventListener("changed", renew);
  source.addEventListener("progress", (event) => {
    const now = JSON.parse(event.data);
    all("[data-progress]").forEach((bar) => { bar.value = now.fraction; });
    all("[data-progress-words]").forEach((place) => { place.textContent = now.words; });
  });
  source.onerror = () => say("The server does not answer; trying again.");
  source.onopen = () => say("");
}

function swap(fresh) {
  const known = new Set();
  let before = null;
  for (const part of parts(fresh)) {
    known.add(part.id);
    const html = part.innerHTML;
    const old = document.getElementById(part.id);
    if (!old) {
      const added = document.importNode(part, true);
      before ? before.after(added) : document.getElementById("main").prepend(added);
      enhance(added);
      served.set(part.id, html);
    } else if (served.get(part.id) !== html && !old.contains(document.activeElement?.closest("input, textarea, select"))) {
      const open = new Set(all("details[open]", old).map(named));
      const values = all("input[type=search]", old).map((input) => [input.id, input.value]);
      old.replaceChildren(...document.importNode(part, true).childNodes);
      all("details", old).forEach((item) => { if (open.has(named(item))) item.open = true; });
      enhance(old);
      served.set(part.id, html);
      for (const [id, value] of values) {
        const input = document.getElementById(id);
        if (input && value) { input.value = value; input.dispatchEvent(new Event("input")); }
      }
    }
    before = document.getElementById(part.id);
  }
  for (const id of [...served.keys()]) {
    if (!known.has(id)) { document.getElementById(id)?.remove(); served.delete(id); }
  }
}

const named = (item) => item.querySelector("[id]")?.id || item.querySelector("summary")?.textContent.replace(/\d+/g, "");

function enhance(root) {
  widths();
  all("table[data-sortable]", root).forEach(sortable);
  all("[data-filter]", root).forEach(filtered);
  all("[data-search]", root).forEach(searched);
  all("[data-axes]", root).forEach(axes);
  all("[data-curves]", root).forEach(highlighted);
}

/* What is wider than its box says so in words; its shadows say so without a script. */
function widths() {
  const boxes = all(".scroll, .plot").filter((box) => !box.closest("details:not([open])"));
  const measured = boxes.map((box) => [box, box.scrollWidth > box.clientWidth + 4]); // all before the first change
  for (const [box, wider] of measured) {
    let words = box.previousElementSibling;
    if (!words?.classList.contains("wider")) {
      if (!wider) continue;
      words = make("p", "Wider than the screen: scroll it sideways \u2192");
      words.className = "wider";
      box.before(words);
    }
    words.hidden = !wider;
  }
}

/* A link to what lies in a closed part opens it, also where the browser does not. */
function reveal(event) {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const closed = target && target.closest("details:not([open])");
  if (closed) closed.open = true;
  if (closed || (target && !event)) target.scrollIntoView({ behavior: "instant" }); // what stood above has its tools now
}

if (document.body.dataset.live) live(document.body.dataset.live);
enhance(document);
following();
addEventListener("hashchange", reveal);
addEventListener("resize", widths);
reveal();
