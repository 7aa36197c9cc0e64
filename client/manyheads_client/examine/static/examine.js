// The local page: hands files to the program behind it and shows the parts of the page that it answers with.

import { enliven } from "./viewer.js";

const find = (selector, root = document) => root.querySelector(selector);
const main = find("#image"), list = find("#list"), status = find("#status"), veil = find("#veil");
const most = Number(document.body.dataset.fileBytes);
let shown = null; // number of the image in full

/** Ask the program; its refusal becomes an error with its own words. */
async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The program does not answer any more. Start it again; the page is then at a new address.");
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  try {
    const { reason, detail } = JSON.parse(text);
    throw new Error(reason ?? detail);
  } catch (error) {
    throw error instanceof SyntaxError ? new Error(text) : error;
  }
}

/** Put a part of the page, which the program rendered, into `place`. */
async function put(place, path) {
  place.innerHTML = await (await ask(path)).text();
  enliven(place);
}

/** Do something and say what went wrong, if anything did. */
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    say(error.message, true);
  }
}

function say(text, wrong = false) {
  status.textContent = text;
  status.classList.toggle("wrong", wrong);
}

// images

async function examine(files) {
  const failed = [];
  let first = null;
  for (const [i, file] of files.entries()) {
    say(`Examining ${i + 1} of ${files.length}: ${file.name}`);
    try {
      const body = file.size > most ? file.slice(0, most + 1) : file; // one byte too many is enough to be refused
      const name = encodeURIComponent((file.name || "pasted").slice(-255));
      const found = await (await ask(`images?name=${name}`, { method: "POST", body })).json();
      if (found.state === null) failed.push(`${found.name}: ${found.explanation}`);
      else first ??= found.number;
    } catch (error) {
      failed.push(`${file.name}: ${error.message}`);
    }
    await refresh();
  }
  if (first !== null) {
    await show(first);
    main.scrollIntoView({ block: "nearest" });
  } else if (shown !== null) {
    await show(shown);
  }
  say(failed.length ? failed.join(" · ") : `Examined ${files.length === 1 ? files[0].name : `${files.length} images`}.`, failed.length > 0);
}

let queue = Promise.resolve(); // one after another, in the order they were given
function take(files) {
  const given = [...files]; // the browser empties its list
  if (given.length) queue = queue.then(() => attempt(() => examine(given)));
}

async function refresh() {
  await put(list, "list");
  mark();
}

function mark() {
  for (const button of list.querySelectorAll(".open")) {
    if (Number(button.dataset.number) === shown) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

async function show(number) {
  await put(main, `images/${number}`);
  shown = number;
  mark();
  const { scale } = find(".scale-key", main)?.dataset ?? {};
  if (scale) find("#scale").logits.value = scale;
}

list.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const number = Number(button.dataset.number);
  attempt(async () => {
    if (button.classList.contains("open")) {
      await show(number);
      main.focus();
      return;
    }
    await ask(`images/${number}`, { method: "DELETE" });
    if (number === shown) {
      shown = null;
      main.replaceChildren();
    }
    await refresh();
  });
});

find("#files").addEventListener("change", (event) => {
  take(event.target.files);
  event.target.value = "";
});
document.addEventListener("paste", (event) => take(event.clipboardData.files));
const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
document.addEventListener("dragover", (event) => {
  if (!carries(event)) return;
  event.preventDefault();
  veil.hidden = false;
});
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) veil.hidden = true; });
document.addEventListener("drop", (event) => {
  if (!carries(event)) return;
  event.preventDefault();
  veil.hidden = true;
  take(event.dataTransfer.files);
});

// degraded copies and comparison

main.addEventListener("input", (event) => {
  const knob = event.target.closest(".knob");
  if (knob) tell(find("input", knob));
});

function tell(input) {
  const off = Number(input.value) === Number(input.dataset.unchanged);
  input.nextElementSibling.value = off ? "off" : input.value;
  input.setAttribute("aria-valuetext", off ? "off" : input.value);
}

main.addEventListener("reset", (event) => {
  setTimeout(() => event.target.querySelectorAll("input").forEach(tell)); // once the values are back
  find(".retried", main).replaceChildren();
});

main.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target, number = form.dataset.number;
  attempt(async () => {
    if (form.matches(".retry")) await put(find(".retried", main), `images/${number}/retry?${new URLSearchParams(new FormData(form))}`);
    if (form.matches(".compare")) await put(find(".compared", main), `images/${number}/beside/${form.other.value}`);
    say("");
  });
});

// the colour scale

async function rescale(query) {
  await ask(`scale${query}`, { method: "PUT" });
  if (shown !== null) await show(shown);
}

find("#scale").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(() => rescale(`?logits=${encodeURIComponent(event.target.logits.value)}`));
});
find("#fit-scale").addEventListener("click", () => attempt(() => rescale("")));

// what the sitting holds already, after the page was loaded again
const opened = find(".open", list);
if (opened) attempt(() => show(Number(opened.dataset.number)));
