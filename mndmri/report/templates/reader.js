// Cases stand in the page as JSON, each read when it is opened. Nothing is fetched, nothing is sent.
(() => {
  const AREAS = ["leg", "hand", "face"], SIDES = ["L", "R"], NAMES = { L: "left", R: "right" };
  const MODALITIES = [["swi", "SWI"], ["qsm", "QSM"], ["all", "Everything"]];
  const COLOURS = { precentral_posterior_deep: "#e69f00", precentral_posterior: "#e69f00",
                    precentral_anterior: "#56b4e9", postcentral_anterior: "#cc79a7" };
  const FILLED = "precentral_posterior_deep";
  const MAX_ZOOM = 12, LEVELS = 256, SWIPE_PX = 14, WHEEL_PX = 40;
  const element = (id) => document.getElementById(id);
  const canvas = element("view"), context = canvas.getContext("2d");

  // What the browser remembers; where it may not, the page works without.
  const memory = {
    get(key) { try { return localStorage.getItem(key); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(key, value); } catch { /* not allowed in this window */ } },
  };

  const blocks = [...document.querySelectorAll("script.case")];
  const numbers = blocks.map((block) => Number(block.textContent.match(/"case":(\d+)/)[1]));
  // two studies may have a case of one number: an entry belongs to the pictures too
  const pictures = Object.fromEntries(
    blocks.map((block, n) => [numbers[n], block.textContent.match(/"pictures":"(\w+)"/)[1]]));
  let index = 0, data = null, decoded = {};
  let layer = "swi", slice = 0, zoom = 1, shift = [0, 0], windows = {};
  let radiological = memory.get("mndmri-reader/display") !== "neurological";
  const entries = {};  // of the current rater, by case
  let named = "";

  // -- entries --------------------------------------------------------------------------------------
  const rater = () => element("rater").value.trim().replace(/\s+/g, " ");
  const place = (number, of = rater()) => `mndmri-reader/${number}/${pictures[number]}/${of}`;
  const blank = () => ({ ratings: {}, confidence: "", comment: "", decisions: {}, rated: "", decided: "" });
  const now = () => new Date().toISOString().slice(0, 19) + "Z";

  function entry(number) {
    if (!entries[number]) {
      let kept = null;
      try { kept = JSON.parse(memory.get(place(number))); } catch { /* not ours */ }
      entries[number] = Object.assign(blank(), kept);
    }
    return entries[number];
  }
  function keep(number, what) {
    entry(number)[what] = now();
    memory.set(place(number), JSON.stringify(entry(number)));
    showProgress();
  }
  const given = (own) => AREAS.flatMap((area) => SIDES.map((side) => own.ratings[`${area}_${side}`] || ""));
  const begun = (own) => given(own).some((value) => value !== "");
  const complete = (own) => given(own).every((value) => value !== "");

  // -- pictures -------------------------------------------------------------------------------------
  function picture(name, number) {
    const key = `${name} ${number}`;
    if (!decoded[key]) {
      decoded[key] = new Promise((done) => {
        const image = new Image();
        image.onload = () => {
          const small = document.createElement("canvas");
          small.width = data.columns;
          small.height = data.rows;
          const inside = small.getContext("2d", { willReadFrequently: true });
          inside.drawImage(image, 0, 0);
          const pixels = inside.getImageData(0, 0, data.columns, data.rows);
          const grey = Uint8Array.from({ length: pixels.data.length / 4 }, (_, n) => pixels.data[4 * n]);
          done({ small, inside, pixels, grey });
        };
        image.src = data.layers[name].slices[number];
      });
    }
    return decoded[key];
  }
  function shades() {
    const { range } = data.layers[layer], [black, white] = windows[layer];
    const step = (range[1] - range[0]) / (LEVELS - 1), table = new Uint8ClampedArray(LEVELS);
    for (let n = 0; n < LEVELS; n++) table[n] = 255 * (range[0] + n * step - black) / (white - black);
    table[0] = 0;  // outside the brain
    return table;
  }
  async function draw() {
    canvas.setAttribute("aria-busy", "true");
    const wanted = data, name = layer, number = slice, own = await picture(name, number);
    if (wanted !== data || name !== layer || number !== slice) return;
    const table = shades();
    for (let n = 0; n < own.grey.length; n++) {
      const value = table[own.grey[n]];
      own.pixels.data[4 * n] = own.pixels.data[4 * n + 1] = own.pixels.data[4 * n + 2] = value;
      own.pixels.data[4 * n + 3] = 255;
    }
    own.inside.putImageData(own.pixels, 0, 0);
    const [sx, sy] = scale();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.setTransform(...transform(sx, sy));
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(own.small, 0, 0);
    if (element("outlines").checked) drawOutlines(Math.min(sx, sy));
    canvas.dataset.drawn = `${data.case} ${layer} ${slice} ${radiological ? "radiological" : "neurological"}`;
    canvas.setAttribute("aria-busy", "false");
    describe();
    for (const next of [slice + 1, slice - 1]) if (next >= 0 && next < data.mni_z_mm.length) picture(layer, next);
  }
  function drawOutlines(size) {
    const lines = data.outlines[slice];
    for (const [name, colour] of Object.entries(COLOURS)) {
      if (!lines[name]) continue;
      const path = new Path2D(lines[name]);
      if (name === FILLED) { context.fillStyle = colour + "44"; context.fill(path, "evenodd"); }
      context.lineWidth = (name === FILLED ? 1 : 2) * (window.devicePixelRatio || 1) / size;
      context.strokeStyle = colour;
      context.stroke(path);
    }
  }
  // pixels of the screen for one of the picture, across and down
  const scale = () => [zoom * canvas.width / data.columns, zoom * canvas.height / data.rows];
  function transform(sx, sy) {
    const x = canvas.width / 2 + shift[0], y = canvas.height / 2 + shift[1];
    return radiological
      ? [-sx, 0, 0, sy, x + sx * data.columns / 2, y - sy * data.rows / 2]
      : [sx, 0, 0, sy, x - sx * data.columns / 2, y - sy * data.rows / 2];
  }
  function resize() {
    const [dx, dy] = data.pixel_mm, shape = (data.rows * dy) / (data.columns * dx);
    const width = element("frame").clientWidth, ratio = window.devicePixelRatio || 1;
    canvas.style.height = `${width * shape}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(width * shape * ratio);
    draw();
  }

  // -- what is shown --------------------------------------------------------------------------------
  function describe() {
    const own = data.layers[layer], digits = layer === "qsm" ? 3 : 2, unit = own.unit ? ` ${own.unit}` : "";
    const thick = layer === "mip" ? `, minimum over ${data.projected_mm} mm` : "";
    element("place").textContent = `slice ${slice + 1} of ${data.mni_z_mm.length}, MNI z ≈ ${data.mni_z_mm[slice]} mm${thick}`;
    element("shades").textContent = `${windows[layer].map((v) => v.toFixed(digits)).join(" to ")}${unit}`;
    element("side-left").textContent = radiological ? "R" : "L";
    element("side-right").textContent = radiological ? "L" : "R";
    const mm = element("frame").clientWidth * zoom / (data.columns * data.pixel_mm[0]);
    element("bar").textContent = "10 mm";
    element("bar").style.width = `${10 * mm}px`;
    const title = { swi: "SWI", mip: "minimum-intensity projection", qsm: "susceptibility" }[layer];
    canvas.setAttribute("aria-label", `Axial ${title}, ${element("place").textContent}, patient's ${radiological ? "right" : "left"} at the left`);
    element("slice").value = slice;
    const [low, high] = own.window, [black, white] = windows[layer];
    element("centre").value = Math.round(-100 * ((black + white) - (low + high)) / 2 / (high - low));
    element("width").value = Math.round(-50 * Math.log2((white - black) / (high - low)));
    document.querySelectorAll("[name=layer]").forEach((input) => { input.checked = input.value === layer; });
    element("radiological").checked = radiological;
    element("legend").hidden = !element("outlines").checked;
  }
  function show(name) { if (data.layers[name]) { layer = name; draw(); } }
  function toggle(name) { show(layer === name ? Object.keys(data.layers)[0] : name); }
  function step(n) { slice = Math.min(Math.max(slice + n, 0), data.mni_z_mm.length - 1); draw(); }
  function enlarge(factor, at) {
    const before = zoom, middle = at || [canvas.width / 2, canvas.height / 2];
    zoom = Math.min(Math.max(zoom * factor, 1), MAX_ZOOM);
    const grown = zoom / before, half = [canvas.width / 2, canvas.height / 2];
    shift = shift.map((v, axis) => (middle[axis] - half[axis]) * (1 - grown) + v * grown);
    move(0, 0);
  }
  function move(x, y) {
    const most = [canvas.width, canvas.height].map((size) => size * (zoom - 1) / 2);
    shift = [shift[0] + x, shift[1] + y].map((v, axis) => Math.min(Math.max(v, -most[axis]), most[axis]));
    draw();
  }
  function fit() { zoom = 1; shift = [0, 0]; draw(); }
  function rewindow(centre, width) {
    const [low, high] = data.layers[layer].window, spread = high - low;
    const middle = (low + high) / 2 - centre / 100 * spread, half = spread / 2 * 2 ** (-width / 50);
    windows[layer] = [middle - half, middle + half];
    draw();
  }
  function flip() {
    radiological = !radiological;
    shift[0] = -shift[0];
    memory.set("mndmri-reader/display", radiological ? "radiological" : "neurological");
    showForm();
    draw();
  }

  // -- form -----------------------------------------------------------------------------------------
  function radios(name, values, chosen, label, changed) {
    const group = document.createElement("span");
    group.className = "scale";
    group.setAttribute("role", "radiogroup");
    group.setAttribute("aria-label", label);
    for (const value of values) {
      const own = document.createElement("label"), input = document.createElement("input"), text = document.createElement("span");
      Object.assign(input, { type: "radio", name, value, checked: value === chosen });
      input.setAttribute("aria-label", `${label}: ${value}`);
      input.addEventListener("change", () => changed(value));
      text.textContent = value;
      own.append(input, text);
      group.append(own);
    }
    return group;
  }
  // Sides stand as on the picture: what lies left on it is rated at the left.
  const sides = () => (radiological ? ["R", "L"] : ["L", "R"]);
  function showForm() {
    const number = numbers[index], own = entry(number);
    const [first, second] = sides();
    document.querySelector("#ratings .first").textContent = NAMES[first];
    document.querySelector("#ratings .second").textContent = NAMES[second];
    document.querySelector("#ratings tbody").replaceChildren(...AREAS.map((area) => {
      const row = document.createElement("tr"), head = document.createElement("th");
      head.scope = "row";
      head.textContent = area;
      row.append(head, ...sides().map((side) => {
        const cell = document.createElement("td"), key = `${area}_${side}`;
        cell.append(radios(key, ["0", "1", "2", "n/a"], own.ratings[key], `${area}, ${NAMES[side]}`, (value) => {
          own.ratings[key] = value;
          keep(number, "rated");
          showTotal();
        }));
        return cell;
      }));
      return row;
    }));
    element("confidence").value = own.confidence;
    element("comment").value = own.comment;
    element("decisions").replaceChildren(...MODALITIES.filter(([name]) => name === "all" || data.layers[name]).map(([name, title]) => {
      const row = document.createElement("div"), head = document.createElement("span"), why = document.createElement("input");
      const made = () => (own.decisions[name] = own.decisions[name] || { decision: "", reason: "" });
      const known = own.decisions[name] || { decision: "", reason: "" };
      head.textContent = title;
      why.className = "reason";
      why.maxLength = 300;
      why.placeholder = "reason";
      why.value = known.reason;
      why.hidden = known.decision !== "exclude";
      why.setAttribute("aria-label", `Reason for excluding: ${title}`);
      why.addEventListener("input", () => { made().reason = why.value; keep(number, "decided"); });
      row.append(head, radios(`decision_${name}`, ["keep", "exclude"], known.decision, title, (value) => {
        made().decision = value;
        why.hidden = value !== "exclude";
        keep(number, "decided");
        if (value === "exclude") why.focus();
      }), why);
      return row;
    }));
    showTotal();
  }
  function showTotal() {
    const values = given(entry(numbers[index]));
    const rated = values.filter((value) => value !== "").length;
    element("total").textContent = rated < values.length ? `${rated} of ${values.length} rated`
      : values.includes("n/a") ? "no total: an area cannot be judged"
      : `total ${values.reduce((sum, value) => sum + Number(value), 0)} of 12`;
  }
  function showProgress() {
    const done = numbers.filter((number) => complete(entry(number))).length;
    element("progress").textContent = numbers.length > 1 ? `${done} of ${numbers.length} cases rated` : "";
    [...element("case").options].forEach((option, n) => {
      const own = entry(numbers[n]);
      option.textContent = `${complete(own) ? "✓" : begun(own) ? "…" : "·"} ${n + 1} of ${numbers.length}: case ${numbers[n]}`;
    });
  }
  function open(n) {
    index = Math.min(Math.max(n, 0), numbers.length - 1);
    data = JSON.parse(blocks[index].textContent);
    decoded = {};
    layer = Object.keys(data.layers)[0];
    slice = data.first;
    zoom = 1;
    shift = [0, 0];
    windows = Object.fromEntries(Object.entries(data.layers).map(([name, own]) => [name, [...own.window]]));
    element("slice").max = data.mni_z_mm.length - 1;
    element("coarse").textContent = data.too_coarse;
    element("coarse").hidden = !data.too_coarse;
    document.querySelectorAll("[name=layer]").forEach((input) => {
      input.disabled = !data.layers[input.value];
      input.parentElement.classList.toggle("off", input.disabled);
    });
    element("case").selectedIndex = index;
    element("previous").disabled = index === 0;
    element("next").disabled = index === numbers.length - 1;
    element("message").textContent = "";
    showForm();
    resize();
  }
  // What was entered before the rater gave a name is the first one's to do so.
  function changeRater() {
    const nameless = { ...entries }, wasNameless = named === "";
    named = rater();
    for (const number of numbers) {
      delete entries[number];
      const own = nameless[number];
      if (wasNameless && named && own && (own.rated || own.decided) && memory.get(place(number)) === null) {
        entries[number] = own;
        memory.set(place(number), JSON.stringify(own));
        memory.set(place(number, ""), "null");
      }
    }
    memory.set("mndmri-reader/rater", named);
    showForm();
    showProgress();
  }

  // -- saving ---------------------------------------------------------------------------------------
  function ready() {
    if (rater()) return true;
    element("message").textContent = "Enter your initials first: files of several raters are told apart by them.";
    element("rater").focus();
    return false;
  }
  function saveRatings() {
    if (!ready()) return;
    const chosen = numbers.filter((number) => begun(entry(number)));
    if (!chosen.length) { element("message").textContent = "Nothing is rated yet."; return; }
    // an area that was not rated has no row: n/a says that it cannot be judged
    const rows = chosen.flatMap((number) => AREAS.flatMap((area) => SIDES.map((side) => {
      const own = entry(number);
      return [number, "", rater(), area, side, own.ratings[`${area}_${side}`], own.confidence, own.comment, own.rated];
    }))).filter((row) => row[5]);
    saveTable("ratings.tsv", ["case", "session", "rater", "region", "hemi", "rating", "confidence", "comment", "date"], rows);
    const half = chosen.filter((number) => !complete(entry(number)));
    element("message").textContent = `Saved ${chosen.length} case${chosen.length > 1 ? "s" : ""}.`
      + (half.length ? ` Not complete: ${half.join(", ")}.` : "");
  }
  function saveDecisions() {
    if (!ready()) return;
    const rows = [], lacking = [];
    for (const number of numbers) {
      for (const [name, title] of MODALITIES) {
        const made = entry(number).decisions[name];
        if (!made || !made.decision) continue;
        if (made.decision === "exclude" && !made.reason.trim()) lacking.push(`${title} of case ${number}`);
        rows.push([number, "", name, made.decision, made.decision === "exclude" ? made.reason : "", rater(), entry(number).decided]);
      }
    }
    if (lacking.length) { element("message").textContent = `Not saved. Give the reason for excluding: ${lacking.join("; ")}.`; return; }
    if (!rows.length) { element("message").textContent = "Nothing is decided yet."; return; }
    saveTable("decisions.tsv", ["case", "session", "modality", "decision", "reason", "rater", "date"], rows);
    element("message").textContent = `Saved ${rows.length} decision${rows.length > 1 ? "s" : ""}.`;
  }

  // -- mouse, touch, keys ---------------------------------------------------------------------------
  let turned = 0;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const ratio = window.devicePixelRatio || 1;
    if (event.ctrlKey) { enlarge(2 ** (-event.deltaY / 300), [event.offsetX * ratio, event.offsetY * ratio]); return; }
    // a wheel turns in large steps, a touch pad in many small ones
    const by = event.deltaMode ? WHEEL_PX * event.deltaY : event.deltaY;
    turned = by * turned < 0 ? by : turned + by;
    if (Math.abs(turned) >= WHEEL_PX) { step(-Math.sign(turned)); turned = 0; }
  }, { passive: false });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());

  const fingers = new Map();
  let swiped = 0;
  const apart = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
  canvas.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    swiped = 0;
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const ratio = window.devicePixelRatio || 1, x = event.clientX - before[0], y = event.clientY - before[1];
    const far = fingers.size === 2 ? apart() : 0;
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size === 2) {
      const box = canvas.getBoundingClientRect(), all = [...fingers.values()];
      enlarge(apart() / far, [0, 1].map((axis) => ratio * ((all[0][axis] + all[1][axis]) / 2 - [box.left, box.top][axis])));
    } else if (event.pointerType !== "touch" && (event.buttons & 2 || event.shiftKey)) {
      const [black, white] = windows[layer], width = white - black, per = 1 / element("frame").clientWidth;
      const middle = (black + white) / 2 - 2 * y * per * width, half = width / 2 * 2 ** (2 * x * per);
      windows[layer] = [middle - half, middle + half];
      draw();
    } else if (zoom > 1) {
      move(x * ratio, y * ratio);
    } else if (event.pointerType === "touch") {
      swiped += y;
      if (Math.abs(swiped) >= SWIPE_PX) { step(swiped < 0 ? 1 : -1); swiped = 0; }
    }
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => fingers.delete(event.pointerId));

  const keys = {
    arrowup: () => step(1), arrowdown: () => step(-1), pageup: () => step(5), pagedown: () => step(-5),
    s: () => show("swi"), m: () => toggle("mip"), q: () => toggle("qsm"),
    o: () => { element("outlines").checked = !element("outlines").checked; draw(); },
    f: flip, "+": () => enlarge(1.25), "=": () => enlarge(1.25), "-": () => enlarge(0.8), 0: fit,
    w: () => rewindow(0, 0), n: () => open(index + 1), p: () => open(index - 1),
  };
  let pointed = false;  // what has the focus was given it by a pointer
  document.addEventListener("pointerdown", () => { pointed = true; }, true);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const own = event.target, key = event.key.toLowerCase();
    const writes = own.matches("textarea, select, input:not([type=radio]):not([type=checkbox]):not([type=range])");
    if (key === "tab") pointed = false;
    // arrows move within a slider or a group of radio buttons that was reached by keys; after a click they stay with
    // the slices: a rating must not change under the hand of who scrolls
    if (writes || (key.startsWith("arrow") && own.matches("input") && !pointed) || !Object.hasOwn(keys, key)) return;
    event.preventDefault();
    keys[key]();
  });

  document.querySelectorAll("[name=layer]").forEach((input) => input.addEventListener("change", () => show(input.value)));
  element("outlines").addEventListener("change", draw);
  element("radiological").addEventListener("change", flip);
  element("slice").addEventListener("input", (event) => { slice = Number(event.target.value); draw(); });
  for (const id of ["centre", "width"]) {
    element(id).addEventListener("input", () => rewindow(Number(element("centre").value), Number(element("width").value)));
  }
  element("reset-window").addEventListener("click", () => rewindow(0, 0));
  element("zoom-in").addEventListener("click", () => enlarge(1.25));
  element("zoom-out").addEventListener("click", () => enlarge(0.8));
  element("fit").addEventListener("click", fit);
  element("previous").addEventListener("click", () => open(index - 1));
  element("next").addEventListener("click", () => open(index + 1));
  element("case").addEventListener("change", (event) => { open(event.target.selectedIndex); canvas.focus({ preventScroll: true }); });
  element("confidence").addEventListener("change", (event) => { entry(numbers[index]).confidence = event.target.value; keep(numbers[index], "rated"); });
  element("comment").addEventListener("input", (event) => { entry(numbers[index]).comment = event.target.value; keep(numbers[index], "rated"); });
  element("rater").addEventListener("change", changeRater);
  element("save-ratings").addEventListener("click", saveRatings);
  element("save-decisions").addEventListener("click", saveDecisions);
  window.addEventListener("resize", resize);

  element("rater").value = memory.get("mndmri-reader/rater") || "";
  named = rater();
  element("case").append(...numbers.map(() => document.createElement("option")));
  element("cases").hidden = false;
  showProgress();
  open(0);
  canvas.focus({ preventScroll: true });
})();
