// Scenes and their parts stand in the page; each is unpacked when it is shown. Nothing is fetched, nothing is sent.
(() => {
  // array axes to the right, upwards and through the slices, and what stands at their ends
  const PLANES = { axial: [0, 1, 2], coronal: [0, 2, 1], sagittal: [1, 2, 0] };
  const ENDS = ["LR", "PA", "IS"];
  const MAX_ZOOM = 12, WHEEL_PX = 40, UNREAD = 4, AT_END = 3;
  const SLAB_MM = 3, PARTS_OF_VOXEL = 16, END_OF_LINE = -32768;
  const element = (id) => document.getElementById(id);
  const memory = {
    get(key) { try { return localStorage.getItem(key); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(key, value); } catch { /* not allowed in this window */ } },
  };

  const { scenes, step: STEP } = JSON.parse(element("scenes").textContent);
  const part = (n) => document.querySelectorAll("script.part")[n].textContent;
  const planes = Object.entries(PLANES).map(([name, axes]) => {
    const own = element(name), canvas = own.querySelector("canvas");
    return { name, axes, own, canvas, slider: own.querySelector("input"), small: document.createElement("canvas") };
  });
  let scene = null, place = [0, 0, 0], moved = false, zoom = 1, active = planes[0];
  let radiological = memory.get("mndmri-viewer/display") === "radiological";

  // -- unpacking ------------------------------------------------------------------------------------
  function fail(reason) {
    const link = document.querySelector("header a").cloneNode(true);
    element("failed").replaceChildren(`The slices cannot be shown in this browser: ${reason} The still pictures are on the page `, link, ".");
    element("failed").hidden = false;
  }
  async function inflate(text) {
    const packed = Uint8Array.from(atob(text), (own) => own.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }
  // all axial slices of one channel, as `_picture` of mndmri.report.viewer lays them out
  async function channel(text, [nx, ny, nz]) {
    const image = new Image();
    image.src = `data:image/webp;base64,${text}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: image.width, height: image.height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    const columns = image.width / nx, values = new Uint8Array(nx * ny * nz);
    for (let z = 0, n = 0; z < nz; z++) {
      const left = (z % columns) * nx, top = Math.floor(z / columns) * ny;
      for (let y = 0; y < ny; y++) {
        for (let x = 0, at = 4 * ((top + y) * image.width + left); x < nx; x++, at += 4) values[n++] = data[at];
      }
    }
    return values;
  }
  async function unpack(own) {
    if (own.volumes) return;
    const volumes = await Promise.all(own.images.map((image) => Promise.all(image.channels.map((n) => channel(part(n), own.shape)))));
    volumes.forEach(([first], n) => {
      const mean = first.reduce((sum, value) => sum + value, 0) / first.length;
      if (Math.abs(mean - own.images[n].mean) > UNREAD) throw new Error("it does not let a page read its own pictures (a protection against being recognised).");
    });
    own.masks = new Uint8Array(await inflate(part(own.bits)));
    for (const mark of own.marks) if (mark.lines !== null) mark.points = new Int16Array(await inflate(part(mark.lines)));
    if (own.statistic) own.statistic.values = new Int16Array(await inflate(part(own.statistic.steps)));
    own.at = 0;
    own.opacity = own.statistic ? 1 : 0.15;
    own.coloured = true;
    own.volumes = volumes;
  }

  // -- places ---------------------------------------------------------------------------------------
  const applied = (matrix, point) => matrix.map((row) => row[3] + row[0] * point[0] + row[1] * point[1] + row[2] * point[2]);
  function inverse(m) {
    const [[a, b, c, x], [d, e, f, y], [g, h, i, z]] = m;
    const det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
    const rows = [[e * i - f * h, c * h - b * i, b * f - c * e], [f * g - d * i, a * i - c * g, c * d - a * f], [d * h - e * g, b * g - a * h, a * e - b * d]];
    return rows.map((row) => { const [p, q, r] = row.map((v) => v / det); return [p, q, r, -(p * x + q * y + r * z)]; });
  }
  const inside = (voxel) => voxel.every((v, axis) => v >= 0 && v < scene.shape[axis]);
  const clamped = (voxel) => voxel.map((v, axis) => Math.min(Math.max(v, 0), scene.shape[axis] - 1));
  const nearest = (mm) => applied(inverse(scene.affine), mm).map(Math.round);
  const index = ([x, y, z]) => x + scene.shape[0] * (y + scene.shape[1] * z);
  const mirrored = (plane) => radiological && plane.axes[0] === 0;

  // -- drawing --------------------------------------------------------------------------------------
  const bits = (which = () => true) => scene.marks.reduce((sum, mark, n) => sum + ((mark.on && which(mark)) << n), 0);
  const rgb = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  function shades() {
    const middle = 127.5 - 1.275 * Number(element("brightness").value), half = 127.5 * 2 ** (-Number(element("contrast").value) / 50);
    return Uint8ClampedArray.from({ length: 256 }, (_, n) => (n ? 255 * (n - middle + half) / (2 * half) : 0));
  }
  function drawPlane(plane) {
    const { canvas, small, axes: [across, up, through] } = plane;
    const [w, h] = [scene.shape[across], scene.shape[up]], strides = [1, scene.shape[0], scene.shape[0] * scene.shape[1]];
    const start = place[through] * strides[through], volumes = scene.volumes[scene.at], grey = volumes.length === 1;
    const table = shades(), filled = bits((mark) => !mark.points), colours = scene.marks.map((mark) => rgb(mark.colour)), own = scene.statistic;
    const palette = own && own.colours.map(rgb), [low, high] = own ? own.ends : [];
    Object.assign(small, { width: w, height: h });
    const context = small.getContext("2d"), pixels = context.createImageData(w, h), { data } = pixels;
    for (let b = 0; b < h; b++) {
      for (let a = 0; a < w; a++) {
        const n = start + a * strides[across] + b * strides[up], at = 4 * ((h - 1 - b) * w + a);
        let red = table[volumes[0][n]], green = grey ? red : table[volumes[1][n]], blue = grey ? red : table[volumes[2][n]];
        const paint = ([r, g, c], alpha) => { red += alpha * (r - red); green += alpha * (g - green); blue += alpha * (c - blue); };
        const marked = scene.masks[n];
        if (own && scene.coloured && own.values[n]) {
          const value = STEP * own.values[n], level = Math.min(Math.max((value - low) / (high - low), 0), 1);
          const strength = marked ? 1 : Math.min(Math.abs(value) / high, 1) ** 2;
          paint(palette[Math.round(level * (palette.length - 1))], scene.opacity * strength);
        }
        if (!own && marked & filled) colours.forEach((colour, bit) => { if (marked & filled & (1 << bit)) paint(colour, scene.opacity); });
        data[at] = red; data[at + 1] = green; data[at + 2] = blue; data[at + 3] = 255;
      }
    }
    context.putImageData(pixels, 0, 0);
    const view = canvas.getContext("2d"), to = plane.to = transform(plane, w, h), ratio = window.devicePixelRatio || 1;
    view.setTransform(1, 0, 0, 1, 0, 0);
    view.fillStyle = "#000";
    view.fillRect(0, 0, canvas.width, canvas.height);
    view.setTransform(...to);
    view.imageSmoothingEnabled = true;
    view.drawImage(small, 0, 0);
    view.setTransform(1, 0, 0, 1, 0, 0);
    scene.marks.forEach((mark, bit) => {
      if (!mark.on) return;
      if (mark.points) streamlines(view, plane, mark, ratio);
      else outline(view, plane, 1 << bit, mark.colour, start, strides, ratio);
    });
    if (element("cross").checked) {
      const [x, y] = on(to, place[across] + 0.5, h - place[up] - 0.5), gap = 7 * ratio;
      view.strokeStyle = "#7cff7c";
      view.lineWidth = ratio;
      view.beginPath();
      for (const [x0, y0, x1, y1] of [[0, y, x - gap, y], [x + gap, y, canvas.width, y], [x, 0, x, y - gap], [x, y + gap, x, canvas.height]]) { view.moveTo(x0, y0); view.lineTo(x1, y1); }
      view.stroke();
    }
  }
  const on = ([a, , , d, e, f], x, y) => [a * x + e, d * y + f];
  function transform(plane, w, h) {
    const { canvas, axes: [across, up] } = plane, [sx, sy] = [zoom * canvas.width / w, zoom * canvas.height / h];
    const centre = (at, n) => Math.min(Math.max(at, n / (2 * zoom)), n - n / (2 * zoom));
    const x = centre(place[across] + 0.5, w), y = centre(h - place[up] - 0.5, h), sign = mirrored(plane) ? -1 : 1;
    return [sign * sx, 0, 0, sy, canvas.width / 2 - sign * sx * x, canvas.height / 2 - sy * y];
  }
  // along the edges of the voxels: where a mask ends is not smoothed away
  function outline(view, plane, bit, colour, start, strides, ratio) {
    const [across, up] = plane.axes, [w, h] = [scene.shape[across], scene.shape[up]], path = new Path2D();
    const is = (a, b) => a >= 0 && b >= 0 && a < w && b < h && (scene.masks[start + a * strides[across] + b * strides[up]] & bit) > 0;
    const line = (x0, y0, x1, y1) => { path.moveTo(...on(plane.to, x0, y0)); path.lineTo(...on(plane.to, x1, y1)); };
    for (let b = 0; b <= h; b++) {
      for (let a = 0; a <= w; a++) {
        if (is(a, b) !== is(a - 1, b)) line(a, h - b, a, h - b - 1);
        if (is(a, b) !== is(a, b - 1)) line(a, h - b, a + 1, h - b);
      }
    }
    view.strokeStyle = colour;
    view.lineWidth = 1.3 * ratio;
    view.stroke(path);
  }
  // where they run within SLAB_MM of the slice
  function streamlines(view, plane, { points, colour }, ratio) {
    const [across, up, through] = plane.axes, h = scene.shape[up], reach = SLAB_MM / scene.voxel_mm[through], path = new Path2D();
    for (let at = 0, drawing = false; at < points.length; at += 3) {
      const [x, y, depth] = [across, up, through].map((axis) => points[at + axis] / PARTS_OF_VOXEL);
      const near = points[at] !== END_OF_LINE && Math.abs(depth - place[through]) <= reach;
      if (near) path[drawing ? "lineTo" : "moveTo"](...on(plane.to, x + 0.5, h - y - 0.5));
      drawing = near;
    }
    view.strokeStyle = colour;
    view.lineWidth = ratio;
    view.stroke(path);
  }
  function draw() {
    planes.forEach(drawPlane);
    describe();
  }
  function describe() {
    const at = index(place), mm = applied(scene.affine, place), image = scene.images[scene.at], own = scene.statistic;
    const file = applied(scene.to_file, mm).map(Math.round);
    const found = scene.marks.filter((mark, bit) => scene.masks[at] & (1 << bit)).map((mark) => mark.name);
    const said = [`${mm.map((v, n) => `${"xyz"[n]} ${v.toFixed(1)}`).join(", ")} mm (${scene.space})`, `voxel ${file.join(", ")} of ${scene.file}`];
    if (image.ends) {
      const [low, high] = image.ends, level = scene.volumes[scene.at][0][at];
      const value = `${Number((low + level / 255 * (high - low)).toPrecision(2))}${image.unit ? ` ${image.unit}` : ""}`;
      // black and white are all values beyond the ends, and black what has none
      said.push(level < AT_END ? `${image.name}: none, or at most ${value}` : `${image.name} ${level > 255 - AT_END ? "≥" : "≈"} ${value}`);
    }
    if (own) said.push(own.values[at] ? `${own.name} = ${(STEP * own.values[at]).toFixed(2)}` : "outside the voxels compared");
    said.push(found.length ? `in: ${found.join(", ")}` : "in none of the outlines");
    element("where").textContent = said.join(" · ");
    planes.forEach((plane) => {
      const [across, up, through] = plane.axes, ends = mirrored(plane) ? [...ENDS[across]].reverse().join("") : ENDS[across];
      [["left", ends[0]], ["right", ends[1]], ["below", ENDS[up][0]], ["above", ENDS[up][1]]].forEach(([side, text]) => {
        plane.own.querySelector(`.${side}`).textContent = text;
      });
      plane.slider.max = scene.shape[through] - 1;
      plane.slider.value = place[through];
      plane.slider.setAttribute("aria-valuetext", `${"xyz"[through]} ${mm[through].toFixed(1)} mm`);
      plane.canvas.setAttribute("aria-label", `${plane.name} slice of ${scene.name}, ${"xyz"[through]} ${mm[through].toFixed(1)} mm, ${ends[0]} at the left`);
    });
    document.body.dataset.drawn = `${scenes.indexOf(scene)} ${scene.at} ${place.join(",")} ${radiological ? "radiological" : "neurological"} ${bits()} ${scene.opacity} ${zoom}`;
  }

  // -- what is shown --------------------------------------------------------------------------------
  function layout() {
    if (!scene) return;
    const mm = scene.shape.map((n, axis) => n * scene.voxel_mm[axis]), room = element("planes").clientWidth, narrow = room < 700;
    const widest = narrow ? Math.max(mm[0], mm[1]) : 2 * mm[0] + mm[1];
    const scale = Math.min((room - (narrow ? 0 : 20)) / widest, Math.max(innerHeight * 0.62, 250) / Math.max(mm[1], mm[2]));
    planes.forEach(({ canvas, own, axes: [across, up] }) => {
      const [width, height] = [scale * mm[across], scale * mm[up]].map(Math.floor), ratio = window.devicePixelRatio || 1;
      own.style.width = `${width}px`;
      own.querySelector(".frame").style.height = `${height}px`;
      Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    });
    draw();
  }
  function showForm() {
    const own = scene.statistic;
    element("image").replaceChildren(...scene.images.map((image, n) => new Option(image.name, n)));
    element("image").selectedIndex = scene.at;
    element("image").parentElement.hidden = scene.images.length < 2;
    element("look").textContent = `Look for: ${scene.look_for}${scene.bad ? ` A bad one: ${scene.bad}` : ""}`;
    element("opacity").value = 100 * scene.opacity;
    element("scale").hidden = !own;
    const rows = scene.marks.map((mark, n) => toggle(n + 1, `${mark.name}${mark.empty ? " (empty)" : ""}`, mark.colour, mark.on, (on) => { mark.on = on; }));
    if (own) {
      rows.push(toggle("C", `${own.name} in colour`, own.colours.at(-60), scene.coloured, (on) => { scene.coloured = on; }));
      [element("low").textContent, element("high").textContent] = own.ends.map((v) => v.toFixed(1));
      const bar = element("bar").getContext("2d");
      for (let n = 0; n < 255; n++) { bar.fillStyle = own.colours[Math.round(n / 254 * (own.colours.length - 1))]; bar.fillRect(n, 0, 1, 1); }
    }
    element("marks").replaceChildren(...rows);
    const sizes = scene.voxel_mm.map((v) => v.toFixed(2)).join(" × ");
    element("shown").textContent = `Shown: ${scene.shape.join(" × ")} voxels of ${sizes} mm, 256 grey levels; outlines along the edges of voxels${scene.marks.some((mark) => mark.points) ? `, streamlines where they run within ${SLAB_MM} mm of the slice` : ""}. ${own ? `${own.name} is exact to ${STEP}.` : "Grey values are approximate (≈); measures are in the tables."}`;
  }
  function toggle(pressed, text, colour, checked, change) {
    const [label, input, key, name] = ["label", "input", "span", "kbd"].map((own) => document.createElement(own));
    Object.assign(input, { type: "checkbox", checked });
    key.className = "key";
    key.style.borderColor = colour;
    input.addEventListener("change", () => { change(input.checked); draw(); });
    name.textContent = pressed;
    label.append(input, " ", key, " ", name, ` ${text}`);
    return label;
  }
  async function open(n, asked) {
    const next = scenes[n], mm = scene && moved ? applied(scene.affine, place) : next.start_mm;
    element("scene").disabled = true;
    try {
      await unpack(next);
      scene = next;
      place = clamped(nearest(mm));
      element("scene").selectedIndex = n;
      showForm();
      layout();
      if (asked) goTo(asked);
    } catch (error) {
      fail(error.message || String(error));
      element("scene").selectedIndex = scenes.indexOf(scene);
    } finally {
      element("scene").disabled = false;
    }
  }
  function goTo(mm) {
    const voxel = nearest(mm);
    element("said").textContent = inside(voxel) ? "" : "This place lies outside of what is shown.";
    if (inside(voxel)) go(voxel);
  }
  // the end of a link: number of a scene from 1, then x, y, z in mm; whatever else stands there opens the first scene
  function follow() {
    const [n, ...mm] = /^#\d+(,-?\d+(\.\d+)?){3}$/.test(location.hash) ? location.hash.slice(1).split(",").map(Number) : [];
    if (scenes[n - 1]) open(n - 1, mm);
    else if (!scene) open(0);
  }
  function move(axis, by) { go(place.map((v, own) => v + (own === axis ? by : 0))); }
  function go(voxel) { place = clamped(voxel); moved = true; draw(); }
  function enlarge(factor) { zoom = Math.min(Math.max(zoom * factor, 1), MAX_ZOOM); draw(); }
  function show(n) { scene.at = n % scene.images.length; element("image").selectedIndex = scene.at; draw(); }
  function fade(opacity) { scene.opacity = Math.min(Math.max(opacity, 0), 1); element("opacity").value = 100 * scene.opacity; draw(); }
  function flip() {
    radiological = !radiological;
    element("radiological").checked = radiological;
    memory.set("mndmri-viewer/display", radiological ? "radiological" : "neurological");
    draw();
  }
  function reset() {
    zoom = 1;
    for (const id of ["brightness", "contrast"]) element(id).value = 0;
    draw();
  }
  function press(n) { element("marks").querySelectorAll("input")[n]?.click(); }

  // -- mouse, touch, keys ---------------------------------------------------------------------------
  planes.forEach((plane) => {
    const { canvas, slider, axes: [across, up, through] } = plane;
    let turned = 0;
    const point = (event) => {
      const ratio = canvas.width / canvas.clientWidth, [a, , , d, e, f] = plane.to, voxel = [...place];
      voxel[across] = Math.floor((event.offsetX * ratio - e) / a);
      voxel[up] = scene.shape[up] - 1 - Math.floor((event.offsetY * ratio - f) / d);
      go(voxel);
    };
    canvas.addEventListener("pointerdown", (event) => {
      active = plane;
      if (event.pointerType === "touch") return;
      canvas.setPointerCapture(event.pointerId);
      point(event);
    });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons && event.pointerType !== "touch") point(event); });
    canvas.addEventListener("click", point);  // a finger that scrolls the page ends without one
    canvas.addEventListener("focus", () => { active = plane; });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      // a wheel turns in large steps, a touch pad in many small ones
      const by = event.deltaMode ? WHEEL_PX * event.deltaY : event.deltaY;
      turned = by * turned < 0 ? by : turned + by;
      if (Math.abs(turned) >= WHEEL_PX) { move(through, -Math.sign(turned)); turned = 0; }
    }, { passive: false });
    slider.addEventListener("input", () => { active = plane; move(through, Number(slider.value) - place[through]); });
  });
  const sideways = (by) => move(active.axes[0], mirrored(active) ? -by : by);
  const keys = {
    arrowleft: () => sideways(-1), arrowright: () => sideways(1), arrowup: () => move(active.axes[1], 1), arrowdown: () => move(active.axes[1], -1),
    pageup: () => move(active.axes[2], 1), pagedown: () => move(active.axes[2], -1),
    i: () => show(scene.at + 1), f: flip, x: () => element("cross").click(), c: () => { if (scene.statistic) press(scene.marks.length); },
    "[": () => fade(scene.opacity - 0.1), "]": () => fade(scene.opacity + 0.1), "+": () => enlarge(1.25), "=": () => enlarge(1.25), "-": () => enlarge(0.8), 0: reset,
  };
  for (let n = 0; n < 8; n++) keys[n + 1] = () => { if (n < scene.marks.length) press(n); };
  document.addEventListener("keydown", (event) => {
    if (!scene || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase(), own = event.target;
    if (own.matches("select, input:not([type=checkbox]):not([type=range])")) return;
    if (own.matches("input[type=range]") && /^(arrow|page)/.test(key)) return;
    if (!Object.hasOwn(keys, key)) return;
    event.preventDefault();
    keys[key]();
  });
  element("scene").addEventListener("change", (event) => open(event.target.selectedIndex));
  element("image").addEventListener("change", (event) => show(event.target.selectedIndex));
  element("radiological").addEventListener("change", flip);
  element("cross").addEventListener("change", draw);
  element("opacity").addEventListener("input", (event) => fade(event.target.value / 100));
  for (const id of ["brightness", "contrast"]) element(id).addEventListener("input", draw);
  element("zoom-in").addEventListener("click", () => enlarge(1.25));
  element("zoom-out").addEventListener("click", () => enlarge(0.8));
  element("reset").addEventListener("click", reset);
  element("go").addEventListener("submit", (event) => {
    event.preventDefault();
    const mm = (element("mm").value.match(/[-−]?\d+(\.\d+)?/g) || []).map((text) => Number(text.replace("−", "-")));
    if (mm.length === 3) goTo(mm);
    else element("said").textContent = "Three numbers are needed: x, y, z.";
  });
  window.addEventListener("resize", layout);
  window.addEventListener("hashchange", follow);

  element("scene").append(...scenes.map((own) => new Option(own.name)));
  element("scene").parentElement.hidden = scenes.length < 2;
  element("radiological").checked = radiological;
  if (!scenes.length) return;
  element("failed").hidden = true;
  if (typeof DecompressionStream === "undefined") fail("it is too old.");
  else follow();
})();
