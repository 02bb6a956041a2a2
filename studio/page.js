"use strict";
// The state is what the address says: condition, skin type, boxes, noise. Whatever
// changes it ends in `commit`, which also writes history and address.
// In one file without a server, `studioHere` (here.js) paints.
const here = globalThis.studioHere;
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const S = data.size;
const TYPES = ["1", "2", "3", "4", "5", "6", "unknown"];
const TONES = { 1: "#f6e3d6", 2: "#e9c9ae", 3: "#d3a57f", 4: "#b07d55", 5: "#80522f", 6: "#4a2c1c", unknown: "#c8c8c8" };
const NOISE = /^(\d{1,16})(?:\/(\d{1,16}))?(?:~(\d{1,16})(?:\/(\d{1,16}))?@([01](?:\.\d{1,4})?))?$/;
const LEAST = Math.max(2, S / 64), STEP = Math.max(1, S / 64);
const PAGE = crypto.getRandomValues(new Uint32Array(2)).join("-");
const random = () => crypto.getRandomValues(new Uint32Array(1))[0] >>> 1;
const quarter = S / 4;
let state = { condition: data.begin[0], skin: data.begin[1], boxes: [[quarter, quarter, 3 * quarter, 3 * quarter]], noise: String(random()) };
let selected = 0, past = [], future = [], known = null, drag = null, started = 0, beside = null, list = [];

const copy = (one) => JSON.parse(JSON.stringify(one));
const say = (text) => { at("message").textContent = text; at("message").hidden = !text; };
const rois = (boxes) => boxes.map((box) => box.join(" ")).join(";");
const asked = (one) => ({ condition: one.condition, skin_type: one.skin, rois: rois(one.boxes), noise: one.noise });

function unpacked(bytes) {
  const view = new DataView(bytes), files = [];
  for (let place = 0; place < bytes.byteLength;) {
    const length = view.getUint32(place, true);
    files.push(new Uint8Array(bytes, place + 4, length));
    place += 4 + length;
  }
  return files;
}
// ---- painting: one request of a lane at a time; of those that wait, the newest.
class Lane {
  constructor(name, run) { Object.assign(this, { name, run, number: 0, busy: false, waiting: null }); }
  async paint(pictures) {
    if (here) return here.paint(pictures);
    const body = { run: this.run, page: PAGE, lane: this.name, number: ++this.number, pictures };
    const reply = await fetch("paint", { method: "POST", body: JSON.stringify(body) });
    if (reply.status === 204) return null;
    if (!reply.ok) throw new Error(await reply.text());
    return unpacked(await reply.arrayBuffer());
  }
  async ask(pictures, done, failed) {
    this.waiting = [pictures, done, failed];
    if (this.busy) return;
    this.busy = true;
    while (this.waiting) {
      const [next, then, otherwise] = this.waiting;
      this.waiting = null;
      try { const files = await this.paint(next); if (files) then(files); else otherwise?.(); }
      catch (error) {
        say(error instanceof TypeError ? "The studio does not answer: has its program ended?" : error.message);
        otherwise?.();
      }
    }
    this.busy = false;
  }
}
const show = (image, png, alt) => {
  if (image.src) URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(new Blob([png], { type: "image/png" }));
  image.alt = alt;
};
const describe = (one) => `Generated image: ${one.condition}, skin type ${one.skin}`;
const element = (tag, attributes, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children);
  return made;
};
const framed = (marked) => {
  const image = element("img", { alt: "" });
  const frame = element("div", { class: "frame" }, image);
  if (marked) frame.append(element("span", { class: "mark" }, "generated"));
  return [frame, image];
};
const panels = data.runs.map((run, index) => {
  const [frame, image] = framed(true);
  const caption = element("figcaption", {}, `${run.name}, step ${run.step}, ${S} × ${S} pixels`);
  at("pictures").append(element("figure", { class: "picture" }, frame, caption));
  return { run, image, lane: new Lane(`picture ${index}`, index), png: null, frame };
});
function refresh() {
  for (const panel of panels) {
    const can = state.boxes.length && panel.run.conditions.includes(state.condition);
    panel.frame.hidden = false;
    if (!can) {
      panel.png = panel.asked = null;
      panel.image.removeAttribute("src");
      panel.image.alt = state.boxes.length ? `This run was not trained on ${state.condition}` : "Draw a box";
      continue;
    }
    const one = copy(state), since = started, words = JSON.stringify(asked(one));
    if (panel.asked === words) continue; // shown, or on its way: a box was let go where it was
    panel.asked = words;
    panel.lane.ask([asked(one)], (files) => {
      panel.png = files[0];
      panel.shown = one;
      show(panel.image, files[0], describe(one));
      panel.image.dataset.ms = Math.round(performance.now() - since);
      panel.image.dataset.noise = one.noise;
      panel.image.dataset.rois = rois(one.boxes);
    }, () => { panel.asked = null; });
  }
}

// ---- state, history, address
function commit(change) {
  const before = copy(state);
  Object.assign(state, change);
  if (JSON.stringify(before) === JSON.stringify(state)) return;
  past.push(before);
  if (past.length > 300) past.shift();
  future = [];
  changed();
}
function changed() {
  started = performance.now();
  selected = Math.min(selected, state.boxes.length - 1);
  const words = new URLSearchParams({ condition: state.condition, skin_type: state.skin, rois: rois(state.boxes), noise: state.noise });
  history.replaceState(null, "", `#${words}`);
  say("");
  render();
  refresh();
}
function travel(from, to) {
  if (!from.length) return;
  to.push(copy(state));
  state = from.pop();
  changed();
}
function readAddress() {
  if (location.hash.length < 2) return;
  const words = new URLSearchParams(location.hash.slice(1)), wrong = [], found = {};
  for (const [name, value] of words) {
    if (name === "condition" && data.conditions.includes(value)) found.condition = value;
    else if (name === "skin_type" && TYPES.includes(value)) found.skin = value;
    else if (name === "noise" && fits(value)) found.noise = value;
    else if (name === "rois") {
      const boxes = value ? value.split(";").map((part) => part.trim().split(/\s+/).map(Number)) : [];
      const good = ([x0, y0, x1, y1, ...more]) => !more.length && x0 >= 0 && y0 >= 0 && x1 <= S && y1 <= S && x1 - x0 >= 0.5 && y1 - y0 >= 0.5;
      if (boxes.length <= data.most_boxes && boxes.every(good)) found.boxes = boxes; else wrong.push(`${name} ${value}`);
    } else wrong.push(`${name} ${value}`);
  }
  Object.assign(state, found);
  if (wrong.length) setTimeout(() => say(`The address says what makes no sense here and was left out: ${wrong.join(", ").slice(0, 300)}`));
}
function fits(text) {
  const parts = NOISE.exec(text);
  if (!parts || parts.slice(1, 5).some((seed) => Number(seed || 0) > Number.MAX_SAFE_INTEGER)) return false;
  if (!data.by_region && (parts[2] || parts[4])) return false;
  return Number(parts[5] || 0) <= 1 && (data.walk || !Number(parts[5] || 0));
}

// ---- what is shown of the state
const SVG = "http://www.w3.org/2000/svg";
const map = at("map");
map.setAttribute("viewBox", `0 0 ${S} ${S}`);
const ground = map.appendChild(document.createElementNS(SVG, "rect"));
ground.setAttribute("width", S);
ground.setAttribute("height", S);
const shapes = [];
const handles = [0, 1, 2, 3].map((corner) => {
  const handle = document.createElementNS(SVG, "rect");
  handle.setAttribute("class", "handle");
  handle.dataset.corner = corner;
  return handle;
});
const place = (shape, x, y, width, height) => {
  for (const [name, value] of Object.entries({ x, y, width, height })) shape.setAttribute(name, value);
};
function render() {
  ground.setAttribute("fill", TONES[state.skin]);
  while (shapes.length > state.boxes.length) shapes.pop().remove();
  state.boxes.forEach((box, index) => {
    if (!shapes[index]) {
      const shape = document.createElementNS(SVG, "rect");
      shape.setAttribute("tabindex", 0);
      shape.setAttribute("role", "button");
      shape.dataset.box = index;
      shape.addEventListener("focus", () => { if (selected !== index) { selected = index; render(); } });
      shapes.push(map.appendChild(shape));
    }
    place(shapes[index], box[0], box[1], box[2] - box[0], box[3] - box[1]);
    shapes[index].setAttribute("class", index === selected ? "box selected" : "box");
    shapes[index].setAttribute("aria-label", `Box ${index + 1}, from ${box[0]}, ${box[1]} to ${box[2]}, ${box[3]}`);
  });
  const side = (22 * S) / (map.getBoundingClientRect().width || 300), box = state.boxes[selected];
  handles.forEach((handle, corner) => {
    if (!box) return handle.remove();
    map.appendChild(handle);
    place(handle, box[corner & 1 ? 2 : 0] - side / 2, box[corner & 2 ? 3 : 1] - side / 2, side, side);
  });
  at("condition").value = state.condition;
  for (const radio of document.getElementsByName("skin")) radio.checked = radio.value === state.skin;
  if (document.activeElement !== at("noise")) at("noise").value = state.noise;
  const parts = NOISE.exec(state.noise);
  at("way").hidden = !parts[3];
  if (parts[3]) at("share").value = parts[5];
  at("undo").disabled = !past.length;
  at("redo").disabled = !future.length;
  at("delete_box").disabled = !box;
  at("add_box").disabled = state.boxes.length >= data.most_boxes;
  at("save").disabled = at("find_nearest").disabled = !state.boxes.length;
  at("nearest").hidden = true;
  at("walk").disabled = !data.walk;
  const mixed = !/^\d+$/.test(state.noise);
  at("add").disabled = mixed || !state.boxes.length;
  at("add_note").textContent = mixed ? "A picture of several seeds cannot be listed: no one seed paints it." : "Several pictures are the one shown and others of the same map.";
  beside = beside && rois(beside.boxes) === rois(state.boxes) ? beside : null;
  at("beside").hidden = !beside;
  count();
}
const numbers = (condition, skin) => known.counts[condition]?.[skin === "unknown" ? "0" : skin] || [0, 0];
const plural = (number, one) => `${number.toLocaleString("en")} ${one}${number === 1 ? "" : "s"}`;
function count() {
  if (!known) return;
  const text = at("counts");
  text.className = "warn";
  if (!known.counts) {
    text.textContent = "The training photographs are not at hand, so nobody can say here how many the generator has seen.";
    return;
  }
  const typed = Object.values(known.counts).some((own) => Object.keys(own).some((type) => type !== "0"));
  for (const radio of document.getElementsByName("skin")) radio.disabled = !typed && !["unknown", state.skin].includes(radio.value);
  document.querySelector("[data-strip=skin]").disabled = !typed;
  document.querySelector(".swatches").title = typed ? "" : "No training photograph has a known skin type.";
  const [photographs, patients] = numbers(state.condition, state.skin), shown = state.skin === "unknown" ? "unknown skin type" : `skin type ${state.skin}`;
  if (photographs) {
    text.className = "";
    const owners = known.patients_unnamed ? ", each counted as a patient," : ` of ${plural(patients, "patient")}`;
    text.textContent = `Trained on ${plural(photographs, "photograph")}${owners} with ${state.condition}, ${shown}.`;
    return;
  }
  text.textContent = state.skin !== "unknown" && !typed
    ? "No training photograph has a known skin type: types 1 to 6 mean nothing to this generator. Choose unknown."
    : `No training photograph shows ${state.condition}, ${shown}: the generator invents it.`;
}

// ---- drawing
const within = (value) => Math.min(Math.max(Math.round(value), 0), S);
const point = (event) => {
  const frame = map.getBoundingClientRect();
  return [(event.clientX - frame.left) / frame.width * S, (event.clientY - frame.top) / frame.height * S];
};
function moved(box, dx, dy) {
  dx = Math.min(Math.max(dx, -box[0]), S - box[2]);
  dy = Math.min(Math.max(dy, -box[1]), S - box[3]);
  return [box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy];
}
map.addEventListener("pointerdown", (event) => {
  if (drag || event.button) return;
  const target = event.target, [x, y] = point(event), before = copy(state);
  drag = { id: event.pointerId, before, x, y };
  if (target.dataset.corner !== undefined) {
    const corner = Number(target.dataset.corner), box = state.boxes[selected];
    Object.assign(drag, { kind: "draw", x: box[corner & 1 ? 0 : 2], y: box[corner & 2 ? 1 : 3] });
  } else if (target.dataset.box !== undefined) {
    selected = Number(target.dataset.box);
    Object.assign(drag, { kind: "move", box: state.boxes[selected].slice() });
  } else if (state.boxes.length < data.most_boxes) {
    selected = state.boxes.length;
    Object.assign(drag, { kind: "draw", fresh: true });
  } else { drag = null; return; }
  map.setPointerCapture(event.pointerId);
  event.preventDefault();
});
map.addEventListener("pointermove", (event) => {
  if (!drag || event.pointerId !== drag.id) return;
  const [x, y] = point(event);
  if (drag.kind === "move") state.boxes[selected] = moved(drag.box, Math.round(x - drag.x), Math.round(y - drag.y));
  else {
    const box = [Math.min(x, drag.x), Math.min(y, drag.y), Math.max(x, drag.x), Math.max(y, drag.y)].map(within);
    if (box[2] - box[0] < LEAST || box[3] - box[1] < LEAST) return;
    state.boxes[selected] = box;
  }
  started = performance.now();
  render();
  refresh();
});
const drop = (keep) => (event) => {
  if (!drag || event.pointerId !== drag.id) return;
  const now = copy(state), { before } = drag;
  drag = null;
  state = before;
  if (keep && JSON.stringify(now.boxes) !== JSON.stringify(before.boxes)) commit({ boxes: now.boxes });
  else changed();
  if (shapes[selected]) shapes[selected].focus({ preventScroll: true });
};
map.addEventListener("pointerup", drop(true));
map.addEventListener("pointercancel", drop(false));
function addBox() {
  if (state.boxes.length >= data.most_boxes) return;
  selected = state.boxes.length;
  commit({ boxes: [...state.boxes, [3, 3, 5, 5].map((part) => (part * S) / 8)] });
  shapes[selected].focus();
}
function deleteBox() {
  if (!state.boxes[selected]) return;
  commit({ boxes: state.boxes.filter((_, index) => index !== selected) });
  (shapes[selected] || map).focus();
}
map.addEventListener("keydown", (event) => {
  const ways = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
  const box = state.boxes[selected], way = ways[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (way && box) {
    let next = moved(box, ...way);
    if (event.shiftKey) {
      next = [box[0], box[1], within(box[2] + way[0]), within(box[3] + way[1])];
      if (next[2] - next[0] < LEAST || next[3] - next[1] < LEAST) next = box;
    }
    commit({ boxes: state.boxes.map((one, index) => (index === selected ? next : one)) });
  } else if (event.key === "Delete" || event.key === "Backspace") deleteBox();
  else if (event.key === "n" || event.key === "N") addBox();
  else return;
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.target.matches("input:not([type=radio], [type=checkbox], [type=range])")) return;
  const key = event.key.toLowerCase();
  if (key === "z" && !event.shiftKey) travel(past, future);
  else if (key === "y" || (key === "z" && event.shiftKey)) travel(future, past);
  else return;
  event.preventDefault();
});

// ---- choices
function fillConditions() {
  const words = at("search").value.trim().toLowerCase();
  const found = data.conditions.filter((name) => name.toLowerCase().includes(words));
  at("condition").replaceChildren(...found.map((name) => element("option", { value: name }, name)));
  at("condition").value = state.condition;
}
function other() {
  const [, seed] = NOISE.exec(state.noise);
  return data.by_region && at("lock").checked ? `${seed}/${random()}` : String(random());
}
const start = () => state.noise.split("~")[0];
at("search").addEventListener("input", fillConditions);
at("search").addEventListener("keydown", (event) => {
  const first = at("condition").options[0];
  if (event.key === "Enter" && first) commit({ condition: first.value });
});
at("condition").addEventListener("change", () => commit({ condition: at("condition").value }));
for (const radio of document.getElementsByName("skin")) radio.addEventListener("change", () => commit({ skin: radio.value }));
at("noise").addEventListener("change", () => {
  const text = at("noise").value.trim();
  if (fits(text)) commit({ noise: text }); else { say(`Seed ${text.slice(0, 60)}: it is a whole number`); at("noise").value = state.noise; }
});
at("lock_label").hidden = !data.by_region;
at("another").addEventListener("click", () => commit({ noise: other() }));
at("walk").addEventListener("click", () => commit({ noise: `${start()}~${other()}@0.5` }));
at("share").addEventListener("input", () => { state.noise = `${state.noise.split("@")[0]}@${Number(at("share").value)}`; started = performance.now(); refresh(); });
at("share").addEventListener("change", () => changed());
at("stay").addEventListener("click", () => commit({ noise: start() }));
at("undo").addEventListener("click", () => travel(past, future));
at("redo").addEventListener("click", () => travel(future, past));
at("add_box").addEventListener("click", addBox);
at("delete_box").addEventListener("click", deleteBox);

// ---- strips
const atOnce = Math.max(1, Math.min(6, Math.floor((6 * 64 * 64) / (S * S))));
const strips = {
  noise: () => Array.from({ length: 6 }, () => { const noise = other(); return [{ ...state, noise }, `seed ${noise}`]; }),
  skin: () => TYPES.slice(0, 6).map((skin) => [{ ...state, skin }, `type ${skin}${seen(state.condition, skin)}`]),
  size: () => [0.4, 0.6, 0.8, 1, 1.3, 1.6].map((factor) => {
    const boxes = copy(state.boxes), [x0, y0, x1, y1] = boxes[selected], x = (x0 + x1) / 2, y = (y0 + y1) / 2;
    const [w, h] = [(x1 - x0) / 2 * factor, (y1 - y0) / 2 * factor];
    const box = [x - w, y - h, x + w, y + h].map(within);
    boxes[selected] = box[2] - box[0] < LEAST || box[3] - box[1] < LEAST ? [x0, y0, x1, y1] : box;
    return [{ ...state, boxes }, `box ${boxes[selected][2] - boxes[selected][0]} × ${boxes[selected][3] - boxes[selected][1]}`];
  }),
  conditions: () => data.conditions.map((condition) => [{ ...state, condition }, `${condition}${seen(condition, state.skin)}`]),
};
const seen = (condition, skin) => (known && known.counts ? `, ${plural(numbers(condition, skin)[0], "photograph")}` : "");
let stripNumber = 0;
async function makeStrip(kind) {
  if (!state.boxes.length) return say("Draw a box first.");
  selected = Math.max(selected, 0);
  const mine = ++stripNumber, lane = new Lane(`strip ${mine}`, 0);
  const wanted = strips[kind]().map(([one, text]) => [copy(one), text]);
  const tiles = wanted.map(([one, text]) => {
    const [frame, image] = framed(true);
    const button = element("button", { type: "button" }, frame, text);
    if (/, 0 photographs$/.test(text)) button.classList.add("warn");
    button.addEventListener("click", () => commit(copy(one)));
    return [element("li", {}, button), image];
  });
  document.querySelectorAll("#strip img").forEach((image) => image.src && URL.revokeObjectURL(image.src));
  at("strip").replaceChildren(...tiles.map(([item]) => item));
  try {
    for (let first = 0; first < wanted.length && mine === stripNumber; first += atOnce) {
      const part = wanted.slice(first, first + atOnce);
      const files = await lane.paint(part.map(([one]) => asked(one)));
      if (mine === stripNumber) files.forEach((png, index) => show(tiles[first + index][1], png, describe(part[index][0])));
    }
  } catch (error) { say(error.message); }
}
for (const button of document.querySelectorAll("[data-strip]")) button.addEventListener("click", () => makeStrip(button.dataset.strip));

// ---- validation maps
let examplesFrom = 0;
function showExamples() {
  const all = known.examples, some = all.slice(examplesFrom, examplesFrom + 8);
  at("examples_before").disabled = !examplesFrom;
  at("examples_after").disabled = examplesFrom + 8 >= all.length;
  at("examples_place").textContent = all.length ? `${examplesFrom + 1} to ${examplesFrom + some.length} of ${all.length}; photographs of patients` : "No validation photographs are at hand.";
  at("examples").replaceChildren(...some.map(([condition, type, boxes], index) => {
    const [frame, image] = framed(false), skin = type ? String(type) : "unknown";
    image.src = `photographs/${examplesFrom + index}.png`;
    image.alt = `Photograph: ${condition}, skin type ${skin}`;
    const button = element("button", { type: "button" }, frame, `${condition}, type ${skin}`);
    button.addEventListener("click", () => {
      const rounded = boxes.map((box) => box.map((value) => within(value))).filter((box) => box[2] > box[0] && box[3] > box[1]);
      beside = { boxes: rounded };
      at("beside").querySelector("img").src = image.src;
      at("beside").querySelector("img").alt = image.alt;
      at("beside").querySelector("figcaption").textContent = "Photograph, validation split: no generated image";
      commit({ condition, skin, boxes: rounded });
      render();
    });
    return element("li", {}, button);
  }));
}
at("examples_before").addEventListener("click", () => { examplesFrom -= 8; showExamples(); });
at("examples_after").addEventListener("click", () => { examplesFrom += 8; showExamples(); });

// ---- saving and the list
function save(name, bytes, type) {
  const link = element("a", { download: name, href: URL.createObjectURL(new Blob([bytes], { type })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
const slug = (one) => `generated_${one.condition.replace(/[^A-Za-z0-9]+/g, "_")}_type_${one.skin}_${one.noise.replace(/[^0-9.]+/g, "_")}.png`;
at("save").addEventListener("click", () => { const { png, shown } = panels[0]; if (png) save(slug(shown), png, "image/png"); });
at("find_nearest").addEventListener("click", async () => {
  const one = copy(state), figure = at("nearest"), caption = figure.querySelector("figcaption");
  const still = () => JSON.stringify(one) === JSON.stringify(state);
  at("find_nearest").disabled = true;
  say("Looking through the training photographs: the first time they have to be read.");
  try {
    const reply = await fetch("nearest", { method: "POST", body: JSON.stringify(asked(one)) });
    if (!reply.ok) throw new Error(await reply.text());
    const [text, png] = unpacked(await reply.arrayBuffer());
    say("");
    if (still()) {
      const found = JSON.parse(new TextDecoder().decode(text));
      show(figure.querySelector("img"), png, `Training photograph: ${found.condition}`);
      caption.textContent = `Nearest training photograph: ${found.condition}, type ${found.skin_type || "unknown"}. ` +
        `At ${found.ratio.toFixed(2)} of its distance from other patients: ${found.words}.`;
      figure.hidden = false;
    }
  } catch (error) { say(error.message); }
  at("find_nearest").disabled = !state.boxes.length;
});
const quoted = (text) => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const table = () => ["condition,skin_type,count,rois,seed", ...list.map((one) => [quoted(one.condition), one.skin, 1, rois(one.boxes), one.noise].join(","))].join("\n") + "\n";
function showList() {
  at("list").replaceChildren(...list.map((one, index) => {
    const button = element("button", { type: "button", "aria-label": `Take row ${index + 1} off the list` }, "Remove");
    button.addEventListener("click", () => { list.splice(index, 1); showList(); });
    return element("li", {}, button, ` ${one.condition}, type ${one.skin}, ${rois(one.boxes)}, seed ${one.noise}`);
  }));
  for (const id of ["save_list", "paint_list", "clear_list"]) at(id).disabled = !list.length;
}
at("add").addEventListener("click", () => {
  const number = Number(at("how_many").value);
  if (!Number.isInteger(number) || number < 1 || number + list.length > data.most_pictures) return say(`Pictures ${at("how_many").value}: a list holds 1 to ${data.most_pictures}`);
  for (let index = 0; index < number; index++) list.push({ ...copy(state), noise: index ? String(random()) : state.noise });
  showList();
});
at("clear_list").addEventListener("click", () => { list = []; showList(); });
at("save_list").addEventListener("click", () => save("wanted.csv", table(), "text/csv"));
const CRC = new Uint32Array(256).map((_, byte) => { for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1; return byte; });
const crc = (bytes) => { let value = -1; for (const byte of bytes) value = CRC[(value ^ byte) & 255] ^ (value >>> 8); return ~value >>> 0; };
function zip(files) {
  // PKWARE's APPNOTE 4.3, stored without compression: PNG files are compressed already.
  const parts = [], index = [];
  let offset = 0, indexSize = 0;
  for (const [name, bytes] of files) {
    const text = new TextEncoder().encode(name), common = new DataView(new ArrayBuffer(26));
    common.setUint16(0, 20, true);
    common.setUint16(2, 0x800, true); // names in UTF-8
    common.setUint16(8, 0x21, true); // 1 January 1980: a picture has no date
    common.setUint32(10, crc(bytes), true);
    common.setUint32(14, bytes.length, true);
    common.setUint32(18, bytes.length, true);
    common.setUint16(22, text.length, true);
    parts.push(new Uint8Array([0x50, 0x4b, 3, 4]), common.buffer, text, bytes);
    const tail = new DataView(new ArrayBuffer(14));
    tail.setUint32(10, offset, true);
    index.push(new Uint8Array([0x50, 0x4b, 1, 2, 20, 0]), common.buffer, tail.buffer, text);
    indexSize += 46 + text.length;
    offset += 30 + text.length + bytes.length;
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, files.length, true);
  end.setUint16(10, files.length, true);
  end.setUint32(12, indexSize, true);
  end.setUint32(16, offset, true);
  return new Blob([...parts, ...index, end.buffer]);
}
at("paint_list").addEventListener("click", async () => {
  const wanted = copy(list), files = [["wanted.csv", new TextEncoder().encode(table())]], lane = new Lane("list", 0);
  at("paint_list").disabled = true;
  at("progress").hidden = false;
  try {
    for (let first = 0; first < wanted.length; first += atOnce) {
      at("progress").value = first / wanted.length;
      const part = wanted.slice(first, first + atOnce);
      (await lane.paint(part.map(asked))).forEach((png, index) => files.push([`images/${String(first + index + 1).padStart(3, "0")}_${slug(part[index])}`, png]));
    }
    save("studio_images.zip", zip(files), "application/zip");
  } catch (error) { say(error.message); }
  at("progress").hidden = true;
  at("paint_list").disabled = !list.length;
});

// ---- beginning
readAddress();
window.addEventListener("hashchange", () => { const before = copy(state); readAddress(); past.push(before); changed(); });
window.addEventListener("resize", render);
fillConditions();
showList();
changed();
if (here) {
  say("The model is being read: this takes some seconds.");
  here.ready.then(() => say(""), (error) => say(`This browser cannot run the model: ${error.message}`));
}
(here ? Promise.resolve(here.known) : fetch("data").then((reply) => reply.json())).then((found) => { known = found; count(); showExamples(); }, () => say("The training data could not be read."));
