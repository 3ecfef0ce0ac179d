(() => {
  "use strict";
  const items = [...document.querySelectorAll("[data-who]")];
  const filters = document.getElementById("filters");
  const inView = () => items.filter((item) => !item.hidden).sort((a, b) =>
    a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1);

  // -- filter ---------------------------------------------------------------------------------------
  const chosen = (name) => (filters.elements[name] ? filters.elements[name].value : "");
  const list = (item, name) => JSON.parse(item.dataset[name]);
  const flagged = (item, flag) => ({
    "": true,
    some: list(item, "flags").length > 0,
    none: list(item, "flags").length === 0 && !item.dataset.failed,
    failed: Boolean(item.dataset.failed),
  })[flag] ?? list(item, "flags").includes(flag.slice("flag ".length));
  const decided = (item, decision) => decision === ""
    || (decision === "none" ? list(item, "decided").length === 0 : list(item, "decided").includes(decision.slice("said ".length)));

  function filter() {
    const wanted = chosen("who").trim().toLowerCase();
    for (const item of items) {
      item.hidden = !(item.dataset.who.toLowerCase().includes(wanted) && flagged(item, chosen("flag"))
        && (chosen("group") === "" || item.dataset.group === chosen("group").slice("group ".length))
        && (chosen("site") === "" || item.dataset.site === chosen("site").slice("site ".length))
        && decided(item, chosen("decision")));
    }
    const left = new Set(items.filter((item) => !item.hidden).map((item) => item.dataset.who));
    document.getElementById("shown").textContent = `${left.size} of ${items.length} shown`;
    for (const point of document.querySelectorAll(".strip a")) point.classList.toggle("away", !left.has(point.dataset.of));
    return left;
  }
  filters.addEventListener("input", filter);
  filters.addEventListener("reset", () => setTimeout(filter));
  filters.addEventListener("submit", (event) => event.preventDefault());

  // -- sort -----------------------------------------------------------------------------------------
  const words = new Intl.Collator(undefined, { numeric: true });
  function compare(a, b, down) {
    if (a === "" || b === "") return (a === "") - (b === ""); // what is missing comes last
    const numbers = [Number(a), Number(b)];
    return (down ? -1 : 1) * (numbers.some(Number.isNaN) ? words.compare(a, b) : numbers[0] - numbers[1]);
  }
  for (const button of document.querySelectorAll("th button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th"), body = head.closest("table").tBodies[0];
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[head.cellIndex].dataset.value;
      body.append(...[...body.rows].sort((a, b) => compare(value(a), value(b), down)));
    });
  }

  // -- next and previous ----------------------------------------------------------------------------
  function go(by) {
    const all = inView().filter((item) => item.querySelector("a"));
    if (!all.length) return;
    const here = all.findIndex((item) => item.contains(document.activeElement));
    const next = all[Math.min(Math.max(here < 0 ? (by > 0 ? 0 : all.length - 1) : here + by, 0), all.length - 1)];
    next.querySelector("a").focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
    if (event.ctrlKey || event.altKey || event.metaKey || typing) return;
    const tile = event.target.closest(".tiles li");
    const by = { n: 1, p: -1, ...(tile ? { ArrowRight: 1, ArrowLeft: -1 } : {}) }[event.key];
    if (by) { go(by); event.preventDefault(); }
    if (event.key === "/") { filters.elements.who.focus(); event.preventDefault(); }
    if (event.key === "x" && tile) { tile.querySelector("input").click(); event.preventDefault(); }
  });

  // -- everybody's values of a measure --------------------------------------------------------------
  const SVG = "http://www.w3.org/2000/svg";
  const make = (name, attributes, ...inside) => {
    const own = ["svg", "line", "circle", "title", "a"].includes(name) ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) own.setAttribute(key, value);
    own.append(...inside);
    return own;
  };
  const shortly = (value) => String(Number(value.toPrecision(3))).replace("-", "\u2212");

  function strip(measure, people) {
    const there = measure.values.map((value, n) => [value, n]).filter(([value]) => value !== null).sort((a, b) => a[0] - b[0]);
    const limits = [measure.lower, measure.upper].filter((limit) => limit !== null);
    const least = Math.min(there[0][0], ...limits), most = Math.max(there[there.length - 1][0], ...limits);
    const across = (value) => `${(1 + 98 * (most > least ? (value - least) / (most - least) : 0.5)).toFixed(2)}%`;
    const isOut = (value) => (measure.lower !== null && value < measure.lower) || (measure.upper !== null && value > measure.upper);
    const unit = measure.unit ? ` ${measure.unit}` : "";
    if (there[0][0] === there[there.length - 1][0] && !there.some(([value]) => isOut(value))) {
      return make("div", { class: "strip" }, make("div", { class: "name" }, `${measure.name}: ${shortly(there[0][0])}${unit} in all ${there.length}`));
    }
    const svg = make("svg", { "aria-hidden": "true" }, make("line", { x1: 0, x2: "100%", y1: 15, y2: 15 }),
      ...limits.map((limit) => make("line", { class: "limit", x1: across(limit), x2: across(limit), y1: 0, y2: 30 })));
    const points = there.map(([value, n], rank) => {
      const circle = make("circle", { cx: across(value), cy: 6 + 18 * ((rank * 0.618) % 1), r: 4, class: isOut(value) ? "out" : "" });
      const point = make("a", { tabindex: -1, ...(people[n].page ? { href: people[n].page } : {}) },
        make("title", {}, `${people[n].id}: ${shortly(value)}${unit}`), circle);
      point.dataset.of = people[n].id;
      point.addEventListener("pointerenter", () => show(rank));
      svg.append(point);
      return point;
    });
    const now = make("span", { class: "now" });
    const name = make("div", { class: "name", role: "slider", tabindex: 0, "aria-label": measure.name, "aria-valuemin": least,
      "aria-valuemax": most, "aria-valuenow": there[0][0], "aria-valuetext": "nobody chosen" }, `${measure.name}${unit && ` (${measure.unit})`}: `, now);
    let at = -1;
    function show(rank) {
      if (at >= 0) points[at].classList.remove("now");
      at = rank;
      points[at].classList.add("now");
      const [value, n] = there[at];
      now.textContent = `${people[n].id}, ${shortly(value)}${unit}${isOut(value) ? ", outside the limits" : ""}`;
      name.setAttribute("aria-valuenow", value);
      name.setAttribute("aria-valuetext", now.textContent);
    }
    name.addEventListener("keydown", (event) => {
      const left = points.map((point, rank) => rank).filter((rank) => !points[rank].classList.contains("away"));
      if (event.key === "Enter" && at >= 0 && points[at].href.baseVal) { location.href = points[at].href.baseVal; return; }
      const next = {
        ArrowRight: left.find((rank) => rank > at), ArrowUp: left.find((rank) => rank > at),
        ArrowLeft: left.findLast((rank) => rank < at), ArrowDown: left.findLast((rank) => rank < at), Home: left[0], End: left.at(-1),
      };
      if (!(event.key in next)) return;
      event.preventDefault();
      if (next[event.key] !== undefined) show(next[event.key]);
    });
    return make("div", { class: "strip" }, name, svg,
      make("div", { class: "ends" }, make("span", {}, shortly(least)), make("span", {}, shortly(most))));
  }

  const strips = document.getElementById("strips");
  if (strips) {
    const { people, measures } = JSON.parse(document.getElementById("values").textContent);
    const draw = (into, own) => { into.append(make("div", { class: "strips" }, ...own.map((measure) => strip(measure, people)))); filter(); };
    const places = new Map();
    for (const measure of measures) {
      const place = measure.sided ? "by side" : "of whole scans and both sides";
      const name = `${measure.modality}, ${place}`;
      places.set(name, [...(places.get(name) ?? []), measure]);
    }
    for (const [name, own] of places) {
      const fold = make("details", {}, make("summary", {}, `${name} (${own.length})`));
      fold.open = !own[0].sided;
      strips.append(fold);
      if (fold.open) draw(fold, own);
      else fold.addEventListener("toggle", () => draw(fold, own), { once: true });
    }
  }

  // -- size of the pictures, and what is to be excluded ----------------------------------------------
  const tiles = document.querySelector(".tiles");
  if (tiles) {
    filters.elements.size.addEventListener("input", (event) => tiles.style.setProperty("--tile", event.target.value));
    const marked = () => [...tiles.querySelectorAll("input:checked")].map((box) => box.closest("li").dataset.who);
    const save = document.getElementById("save"), told = document.getElementById("told");
    let saved = "[]";
    tiles.addEventListener("change", () => { told.textContent = `${marked().length} marked.`; });
    save.addEventListener("click", () => {
      const rater = document.getElementById("rater").value.trim();
      if (!marked().length || !rater) { told.textContent = `Not saved: ${rater ? "nobody is marked" : "write your name"}.`; return; }
      const { modality, reason } = tiles.dataset, date = new Date().toISOString().slice(0, 10);
      const rows = marked().map((who) => { const [person, session = ""] = who.split("_"); return [person, session, modality, "exclude", reason, rater, date]; });
      saveTable("decisions.tsv", ["participant_id", "session", "modality", "decision", "reason", "rater", "date"], rows);
      saved = JSON.stringify(marked());
      told.textContent = `Saved ${rows.length}. Name the file in decisions of the config.`;
    });
    window.addEventListener("beforeunload", (event) => { if (JSON.stringify(marked()) !== saved) event.preventDefault(); });
  }
  filter();
})();
