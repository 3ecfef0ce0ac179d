"use strict";

// The comparison with the controls comes from a file beside this page, which may not be there.
function showControls(html) {
  document.getElementById("controls").innerHTML = html;
}

const still = matchMedia("(prefers-reduced-motion: reduce)");
const ALTERNATE_MS = 900;
let alternating = null;

function show(figure, at) {
  const frames = [...figure.querySelectorAll(".frame")];
  const n = (at + frames.length) % frames.length;
  frames.forEach((frame, own) => frame.classList.toggle("shown", own === n));
  figure.querySelectorAll("button.which").forEach((button, own) => button.setAttribute("aria-pressed", own === n));
}

function next(figure) {
  show(figure, [...figure.querySelectorAll(".frame")].findIndex((frame) => frame.classList.contains("shown")) + 1);
}

function stop() {
  clearInterval(alternating?.timer);
  alternating?.button.setAttribute("aria-pressed", false);
  alternating = null;
}

function alternate(figure) {
  const before = alternating?.figure;
  stop();
  if (before === figure) return;
  next(figure);
  // who wants no motion changes pictures by hand
  if (still.matches) return;
  const button = figure.querySelector("button.alternate");
  button.setAttribute("aria-pressed", true);
  alternating = { figure, button, timer: setInterval(() => next(figure), ALTERNATE_MS) };
}

// the one whose middle is nearest to the window's
function nearest() {
  const middle = (own) => { const box = own.getBoundingClientRect(); return (box.top + box.bottom) / 2; };
  const far = (own) => Math.abs(middle(own) - innerHeight / 2);
  return [...document.querySelectorAll("figure.flicker")].sort((a, b) => far(a) - far(b))[0];
}

addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll("figure.flicker")) {
    figure.querySelectorAll("button.which").forEach((button, own) => {
      button.addEventListener("click", () => { stop(); show(figure, own); });
    });
    figure.querySelector("button.alternate").addEventListener("click", () => alternate(figure));
  }
  still.addEventListener("change", stop);
  addEventListener("keydown", (event) => {
    const figure = nearest();
    if (!figure || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
    if (event.key === "f") { stop(); next(figure); }
    if (event.key === "a") alternate(figure);
  });
  for (const search of document.querySelectorAll("input[type=search]")) {
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/);
      const place = search.closest("details");
      let n = 0;
      for (const row of place.querySelectorAll("tbody tr")) {
        const heading = row.closest("[data-modality]")?.dataset.modality ?? "";
        const text = `${heading} ${row.textContent}`.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        n += !row.hidden;
      }
      for (const own of place.querySelectorAll("[data-modality]")) {
        own.hidden = !own.querySelector("tbody tr:not([hidden])");
      }
      place.querySelector("output").textContent = search.value ? `${n} found` : "";
    });
  }
});
