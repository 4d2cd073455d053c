"use strict";
// Filters the rows of owners, files and checks. The page is whole without it.
const place = document.querySelector("[role=search]");
const box = document.getElementById("search");
const found = document.getElementById("found");
const rows = [...document.querySelectorAll("[data-rows] > tr")];
const texts = rows.map(text);
const folded = [...document.querySelectorAll("details")].filter((one) =>
  one.querySelector("[data-rows]"),
);
let opened = []; // what a search unfolded, and its end folds again
let waiting = 0;

// a row by its image and its cells: "sutra-api numpy 2.3.4 python …"
function text(row) {
  const section = row.closest("section").getAttribute("aria-labelledby");
  return [section, ...[...row.cells].map((cell) => cell.textContent)].join(" ").toLowerCase();
}

function plural(count, kind) {
  return `${count} ${kind}${count === 1 ? "" : "s"}`;
}

function filter() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const counts = { owner: 0, file: 0, check: 0 };
  rows.forEach((row, at) => {
    const hit = words.every((word) => texts[at].includes(word));
    row.classList.toggle("out", !hit);
    counts[row.parentElement.dataset.rows] += hit ? 1 : 0;
  });
  unfold(words.length > 0);
  const parts = Object.entries(counts).map(([kind, count]) => plural(count, kind));
  found.textContent = words.length ? `Found: ${parts.join(", ")}.` : "";
}

function unfold(searching) {
  if (searching) {
    const hits = folded.filter((one) => !one.open && one.querySelector("tr:not(.out) > td"));
    hits.forEach((one) => (one.open = true));
    opened = [...opened, ...hits];
  } else {
    opened.forEach((one) => (one.open = false));
    opened = [];
  }
}

// a pause, so that a screen reader says one count and not one a letter
box.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(filter, 200);
});
// a link to a row that the search took out ends the search, before the browser goes there
document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  const row = link && document.getElementById(link.getAttribute("href").slice(1));
  if (row && row.classList.contains("out")) {
    box.value = "";
    filter();
  }
});
place.hidden = false;
if (box.value) filter(); // a reload keeps what was typed
