"use strict";
// Paints by ONNX Runtime Web, in a worker: the page goes on meanwhile. The first message brings
// what `one_file.py` gives, runtime and model; later ones ask for pictures.
let given, S, ready;

// ---- noise: Philox 4x32-10 and Box-Muller, as model/numpy_noise.py; seeds are pairs of
// numbers of 64 bits, each low and high word.
const high = (a, b) => {
  const [al, ah, bl, bh] = [a & 65535, a >>> 16, b & 65535, b >>> 16];
  const middle = ah * bl + ((al * bl) >>> 16), other = al * bh + (middle % 65536);
  return (ah * bh + Math.floor(middle / 65536) + Math.floor(other / 65536)) >>> 0;
};
function philox(a, b, c, d, key) {
  let [k0, k1] = key;
  for (let turn = 0; turn < 10; turn++) {
    [a, b, c, d] = [
      high(c, 0xcd9e8d57) ^ b ^ k0, Math.imul(c, 0xcd9e8d57),
      high(a, 0xd2511f53) ^ d ^ k1, Math.imul(a, 0xd2511f53),
    ].map((word) => word >>> 0);
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}
function bits(count, seed) {
  const [k0, k1, third, fourth] = philox(...seed.flat(), [0x3ec8f720, 0x02461e29]);
  const words = new Uint32Array(4 * Math.ceil(count / 4));
  for (let block = 0; 4 * block < count; block++) words.set(philox(block, 0, third, fourth, [k0, k1]), 4 * block);
  return words.subarray(0, count);
}
const unit = (word) => (word >>> 8) * 2 ** -24;
function draw(count, seed, distribution) {
  if (distribution === "uniform") return Float32Array.from(bits(count, seed), unit);
  const pairs = Math.ceil(count / 2), words = bits(2 * pairs, seed), drawn = new Float32Array(2 * pairs);
  for (let pair = 0; pair < pairs; pair++) {
    const radius = Math.sqrt(-2 * Math.log(unit(words[pair]) + 2 ** -24));
    const angle = 2 * Math.PI * unit(words[pairs + pair]);
    drawn[pair] = radius * Math.cos(angle);
    drawn[pairs + pair] = radius * Math.sin(angle);
  }
  return drawn.subarray(0, count);
}
const volume = (shape) => shape.reduce((product, side) => product * side, 1);
function ofSeed(number) {
  const seed = [[number >>> 0, Math.floor(number / 2 ** 32)], [0, 0]], drawn = {};
  given.distributions.forEach((distribution, index) => {
    const inputs = given.noise.filter((one) => one[2] === distribution);
    const total = inputs.reduce((sum, one) => sum + volume(one[1]), 0);
    if (!total) return;
    const values = draw(total, [[...bits(2, seed)], [index, 0]], distribution);
    let from = 0;
    for (const [name, shape] of inputs) drawn[name] = values.slice(from, from += volume(shape));
  });
  return drawn;
}
// As studio/noise_ends.py and painter.py: of a seed, of two, or between two of those.
function noiseOf(words) {
  const [way, share] = words.split("@"), [first, last] = way.split("~").map((end) => end.split("/").map(Number));
  const drawn = ofSeed(first[0]);
  if (first.length < 2 && !Number(share || 0)) return drawn;
  const global = ([around, inside]) => {
    const [one, other] = [around, inside ?? around].map((seed) => ofSeed(seed).global_noise);
    one.set(other.subarray(one.length - given.lesion_noise), one.length - given.lesion_noise);
    return one;
  };
  const start = global(first), end = last ? global(last) : start, angle = (Number(share || 0) * Math.PI) / 2;
  drawn.global_noise = start.map((value, index) => Math.cos(angle) * value + Math.sin(angle) * end[index]);
  return drawn;
}

// ---- maps, as preprocessing/data/maps.py
function mapOf(one) {
  const map = new Uint8Array(S * S * 3), code = given.codes[one.condition], type = Number(one.skin_type) || 0;
  const round = (value) => (value % 1 === 0.5 ? 2 * Math.round(value / 2) : Math.round(value)); // as Python, to even
  for (let pixel = 0; pixel < S * S; pixel++) map[3 * pixel] = given.level * type;
  for (const box of one.rois.split(";")) {
    const sides = box.split(" ").map((side) => round(Number(side)));
    const [x0, y0] = sides.map((side) => Math.min(Math.max(side, 0), S - 1));
    const [x1, y1] = [Math.min(Math.max(sides[2], x0 + 1), S), Math.min(Math.max(sides[3], y0 + 1), S)];
    for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) {
      map[3 * (y * S + x) + 1] = given.level * (1 + Math.floor(code / 6));
      map[3 * (y * S + x) + 2] = given.level * (1 + (code % 6));
    }
  }
  return map;
}

// ---- PNG files that say that they are generated, as synthesis/provenance.py
const CRC = new Uint32Array(256).map((_, byte) => { for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1; return byte; });
function chunk(kind, content) {
  const whole = new Uint8Array(12 + content.length), view = new DataView(whole.buffer);
  view.setUint32(0, content.length);
  whole.set(new TextEncoder().encode(kind), 4);
  whole.set(content, 8);
  let value = -1;
  for (const byte of whole.subarray(4, -4)) value = CRC[(value ^ byte) & 255] ^ (value >>> 8);
  view.setUint32(8 + content.length, ~value);
  return whole;
}
async function png(pixels, noise) {
  const rows = new Uint8Array(S * (3 * S + 1)), header = new DataView(new ArrayBuffer(13));
  for (let y = 0; y < S; y++) rows.set(pixels.subarray(3 * S * y, 3 * S * (y + 1)), (3 * S + 1) * y + 1);
  header.setUint32(0, S);
  header.setUint32(4, S);
  header.setUint16(8, 0x802); // 8 bits, colours
  const stream = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const body = new Uint8Array(await new Response(stream).arrayBuffer());
  const mixture = /^\d+$/.test(noise) ? "" : `\n dermgan:Mixture="${noise}"`;
  const packet = given.packet.replace("SEED", parseInt(noise, 10)).replace("MIXTURE", mixture);
  const parts = [
    new Uint8Array([0x89, 80, 78, 71, 13, 10, 26, 10]), chunk("IHDR", new Uint8Array(header.buffer)),
    chunk("iTXt", new TextEncoder().encode(packet)), chunk("IDAT", body), chunk("IEND", new Uint8Array()),
  ];
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

// ---- the model
async function load({ runtime, wasm, model }) {
  const ort = await import(URL.createObjectURL(new Blob([runtime], { type: "text/javascript" })));
  ort.env.wasm.wasmBinary = wasm;
  ort.env.wasm.numThreads = 1;
  return { ort, session: await ort.InferenceSession.create(model, { executionProviders: ["wasm"] }) };
}
async function paint(pictures) {
  const { ort, session } = await ready, files = [];
  for (const one of pictures) {
    const drawn = noiseOf(one.noise), fed = { map: new ort.Tensor("uint8", mapOf(one), [1, S, S, 3]) };
    for (const [name, shape] of given.noise) fed[name] = new ort.Tensor("float32", drawn[name], [1, ...shape]);
    files.push(await png((await session.run(fed)).image.data, one.noise));
  }
  return files;
}
onmessage = async ({ data: { number, parts, pictures, ...more } }) => {
  if (parts) {
    given = more.given;
    S = given.size;
    ready = load(parts);
  }
  try { postMessage({ number, files: parts ? (await ready, []) : await paint(pictures) }); }
  catch (error) { postMessage({ number, error: String(error?.message ?? error) }); }
};
