"use strict";
// Has pictures painted without a server, by a worker that is made of the page itself.
globalThis.studioHere = (() => {
  const text = (id) => document.getElementById(id).textContent;
  const given = JSON.parse(text("here"));
  const unpacked = async (id) => {
    const packed = Uint8Array.from(atob(text(id)), (letter) => letter.charCodeAt(0));
    document.getElementById(id).remove();
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  const worker = new Worker(URL.createObjectURL(new Blob([text("worker")], { type: "text/javascript" })));
  const waiting = new Map();
  let last = 0;
  worker.onmessage = ({ data: { number, files, error } }) => {
    const [done, failed] = waiting.get(number);
    waiting.delete(number);
    if (error === undefined) done(files); else failed(new Error(error));
  };
  worker.onerror = (event) => {
    for (const [, failed] of waiting.values()) failed(new Error(event.message));
    waiting.clear();
  };
  const ask = (message, transferred = []) => new Promise((done, failed) => {
    waiting.set(++last, [done, failed]);
    worker.postMessage({ number: last, ...message }, transferred);
  });
  async function load() {
    const parts = {};
    for (const id of ["runtime", "wasm", "model"]) parts[id] = await unpacked(id);
    await ask({ given, parts }, Object.values(parts).map((part) => part.buffer));
  }
  const ready = load();
  const paint = (pictures) => ready.then(() => ask({ pictures }));
  return { ready, paint, known: { ...given, examples: [] } };
})();
