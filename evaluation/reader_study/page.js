"use strict";
(() => {
  const study = JSON.parse(document.getElementById("study").textContent);
  const { trials } = study;
  const parts = [...new Set(trials.map((trial) => trial.kind))];
  const STORED_AS = `reader_study/${study.study}/${study.reader}`;
  // A second tap on the same spot, meant for the picture before, is no answer.
  const SHORTEST_LOOK_MS = 250;
  const byId = (id) => document.getElementById(id);

  // SHA-256 (FIPS 180-4): crypto.subtle is missing on pages that come over plain HTTP.
  function sha256(bytes) {
    const primes = [];
    for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
    const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
    const hash = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p)));
    const k = primes.map((p) => fraction(Math.cbrt(p)));
    const rotate = (x, n) => (x >>> n) | (x << (32 - n));
    const padded = new Uint8Array(((bytes.length + 72) >> 6) << 6);
    padded.set(bytes);
    padded[bytes.length] = 0x80;
    const view = new DataView(padded.buffer);
    view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
    view.setUint32(padded.length - 4, bytes.length << 3);
    const w = new Int32Array(64);
    for (let start = 0; start < padded.length; start += 64) {
      for (let i = 0; i < 64; i++) {
        if (i < 16) {
          w[i] = view.getInt32(start + 4 * i);
        } else {
          const s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >>> 3);
          const s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >>> 10);
          w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
      }
      let [a, b, c, d, e, f, g, h] = hash;
      for (let i = 0; i < 64; i++) {
        const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
        const t1 = (h + s1 + ((e & f) ^ (~e & g)) + k[i] + w[i]) | 0;
        const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
        const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
      }
      [a, b, c, d, e, f, g, h].forEach((x, i) => { hash[i] = (hash[i] + x) | 0; });
    }
    const digest = new DataView(new ArrayBuffer(32));
    hash.forEach((x, i) => digest.setInt32(4 * i, x));
    return new Uint8Array(digest.buffer);
  }

  // HMAC-SHA256 (RFC 2104), hex; the key is at most 64 bytes long.
  function hmac(key, text) {
    const encoder = new TextEncoder();
    const pad = (filler, bytes) => {
      const padded = new Uint8Array(64 + bytes.length).fill(filler, 0, 64);
      encoder.encode(key).forEach((x, i) => { padded[i] ^= x; });
      padded.set(bytes, 64);
      return padded;
    };
    const digest = sha256(pad(0x5c, sha256(pad(0x36, encoder.encode(text)))));
    return Array.from(digest, (x) => x.toString(16).padStart(2, "0")).join("");
  }

  // What is kept and, at the end, handed in. Integers and texts only: the seal is over
  // the text of it, which the scoring program writes anew.
  let state = {
    format: study.format, version: study.version, study: study.study, reader: study.reader,
    role: "", years: "", started: "", finished: "", answers: [],
  };
  const answerTo = (trial) => state.answers.find((answer) => answer.trial === trial.id);
  const now = () => new Date().toISOString().slice(0, 19) + "Z";
  const plural = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  const sealed = () => ({ content: state, seal: hmac(study.token, JSON.stringify(state)) });

  // --- Images: within the page, or sent after it by the server, in the order in which they
  // are needed.

  const within = Array.isArray(study.images);
  const arrived = [];  // what to call with the address of an image
  const addresses = within
    ? study.images.map((image) => Promise.resolve(`data:image/jpeg;base64,${image}`))
    : Array.from({ length: study.images.count }, (_, i) => new Promise((r) => { arrived[i] = r; }));
  async function fetchImages(first, end) {
    const size = study.images.bytes;
    let next = first;
    while (next < end) {
      try {
        const response = await fetch(`${base}/images/${next}-${end}`);
        if (!response.ok) throw new Error(response.statusText);
        const reader = response.body.getReader();
        let image = new Uint8Array(size);
        let filled = 0;
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          for (let at = 0; at < value.length;) {
            const part = value.subarray(at, at + size - filled);
            image.set(part, filled);
            at += part.length;
            filled += part.length;
            if (filled === size) {
              arrived[next](URL.createObjectURL(new Blob([image], { type: "image/jpeg" })));
              next += 1;
              image = new Uint8Array(size);
              filled = 0;
            }
          }
        }
      } catch { /* The rest is asked for again. */ }
      if (next < end) await pause(RETRY_MS);
    }
  }
  async function fetchAllImages() {
    if (within) return;
    const { count } = study.images;
    const open = trials[firstOpen()];
    const first = open ? Math.min(...open.images) : 0;
    await fetchImages(first, count);
    await fetchImages(0, first);
  }

  // --- Keeping answers: in this browser, and on the server if the page came from one.

  let storageWorks = true;
  let served = false;
  const RETRY_MS = 5000;
  const base = location.pathname.replace(/\/$/, "");
  const endpoint = `${base}/answers`;
  const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

  function usable(candidate) {
    return candidate && candidate.study === study.study && candidate.reader === study.reader
      && candidate.version === study.version && Array.isArray(candidate.answers);
  }
  function adopt(candidate) {
    if (usable(candidate) && !state.finished
      && (candidate.finished || candidate.answers.length >= state.answers.length)) {
      state = candidate;
      return true;
    }
    return false;
  }
  function keepHere() {
    try {
      localStorage.setItem(STORED_AS, JSON.stringify(state));
    } catch {
      storageWorks = false;
    }
  }
  function readHere() {
    try {
      adopt(JSON.parse(localStorage.getItem(STORED_AS)));
    } catch {
      storageWorks = false;
    }
  }

  let sending = false;
  let sendAgain = false;
  let retry = 0;
  async function send() {
    if (!served) return;
    if (sending) { sendAgain = true; return; }
    sending = true;
    sendAgain = false;
    clearTimeout(retry);
    const last = Boolean(state.finished);
    try {
      const response = await fetch(endpoint, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(sealed()),
      });
      if (response.ok) {
        say("Saved");
        if (last) showDone("sent");
      } else if (response.status >= 500) {
        throw new Error("not now");
      } else {
        say(`The server refused the answers: ${(await response.text()).slice(0, 200)}`);
        if (last) showDone("unsent");
      }
    } catch (error) {
      const what = error.message === "not now" ? "The server is busy" : "No connection";
      say(`${what}; your answers are kept here and sent later`);
      retry = setTimeout(send, RETRY_MS);
      if (last) showDone("unsent");
    }
    sending = false;
    if (sendAgain) send();
  }
  async function findServer() {
    if (location.protocol === "file:") return;
    for (;;) {
      try {
        const response = await fetch(endpoint);
        served = response.ok;
        if (served) adopt(await response.json());
        if (response.status < 500) return;
      } catch {
        if (within) return;  // The page of a server that only hands out files.
      }
      say("The server is busy; trying again");
      await pause(RETRY_MS);
    }
  }
  function keep() {
    keepHere();
    say(storageWorks ? "Saved on this device" : "");
    send();
  }
  function saveFile() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(
      new Blob([JSON.stringify(sealed(), null, 1) + "\n"], { type: "application/json" }));
    link.download = `answers_${study.reader}${state.finished ? "" : "_unfinished"}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }
  const say = (text) => { byId("saved").textContent = text; };

  // --- Screens.

  let current = -1;  // index of the trial on the screen; -1 for other screens
  let shownAt = 0;

  function show(id) {
    for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== id;
    byId("zoom").close();
    const answered = state.answers.length;
    const started = Boolean(state.started) && id !== "welcome";
    byId("progress").hidden = !started;
    byId("progress").max = trials.length;
    byId("progress").value = answered;
    byId("back").hidden = current < 1 && id !== "review";
    byId("save_so_far").hidden = !(started && answered && !state.finished && id !== "review");
    window.scrollTo(0, 0);
    byId(`${id}_head`).focus({ preventScroll: true });
  }
  function setPlace(text) { byId("place").textContent = text; }
  async function setImage(image, index, alt) {
    image.removeAttribute("src");
    image.alt = alt;
    image.dataset.index = index;
    const address = await addresses[index];
    if (image.dataset.index === String(index)) image.src = address;
  }

  function showTrial(index) {
    current = index;
    const trial = trials[index];
    const same = trials.filter((one) => one.kind === trial.kind);
    const number = same.indexOf(trial) + 1;
    setPlace(`Test ${parts.indexOf(trial.kind) + 1} of ${parts.length}: ${number} of ${same.length}`);
    if (trial.kind === "relevance") fillQuestion(trial);
    else fillChoice(trial, number);
    show(trial.kind);
    shownAt = Infinity;  // no answer counts before its images are there
    Promise.all(trial.images.map((image) => addresses[image])).then(() => {
      if (current === index) shownAt = performance.now();
    });
  }
  function fillChoice(trial, number) {
    const section = byId(trial.kind);
    const alts = trial.kind === "pair" ? ["Left image", "Right image"] : [`Image ${number}`];
    section.querySelectorAll(".picture img").forEach((image, i) => setImage(image, trial.images[i], alts[i]));
    const before = answerTo(trial);
    for (const button of section.querySelectorAll("[data-choice]")) {
      const chosen = Boolean(before) && before.choice === button.dataset.choice;
      button.classList.toggle("chosen", chosen);
      button.setAttribute("aria-pressed", String(chosen));
    }
  }
  function fillQuestion(trial) {
    byId("asked").textContent = trial.condition;
    const before = answerTo(trial);
    byId("tiles").replaceChildren(...trial.images.map((image, place) => {
      const tile = byId("tile").content.cloneNode(true).firstElementChild;
      const [picture, box, zoom] = ["img", "input", "button"].map((name) => tile.querySelector(name));
      setImage(picture, image, "");
      box.value = place;
      box.checked = Boolean(before) && before.choice.includes(place);
      box.setAttribute("aria-label", `Image ${place + 1}`);
      box.addEventListener("change", countChosen);
      zoom.setAttribute("aria-label", `Enlarge image ${place + 1}`);
      zoom.addEventListener("click", (event) => { event.preventDefault(); openZoom(picture); });
      return tile;
    }));
    countChosen();
  }
  const boxes = () => [...byId("tiles").querySelectorAll("input")];
  function countChosen() {
    const number = boxes().filter((box) => box.checked).length;
    byId("next").textContent = number ? `Next: ${plural(number, "image")} chosen` : "Next: none of them";
  }

  function goTo(index) {
    if (index >= trials.length) {
      current = -1;
      setPlace("");
      byId("review_text").textContent = served
        ? "Send your answers now. They cannot be changed afterwards."
        : "Save your answers now as a file, and send that file to the people who asked you. "
          + "Answers cannot be changed afterwards.";
      byId("finish").textContent = served ? "Finish and send my answers" : "Finish and save my answers";
      show("review");
    } else if (index === 0 || trials[index].kind !== trials[index - 1].kind) {
      current = -1;
      setPlace("");
      byId(`intro_${trials[index].kind}`).querySelector(".begin").onclick = () => showTrial(index);
      show(`intro_${trials[index].kind}`);
    } else {
      showTrial(index);
    }
  }
  const firstOpen = () => {
    const open = trials.findIndex((trial) => !answerTo(trial));
    return open < 0 ? trials.length : open;
  };
  function record(choice) {
    const look = Math.round(performance.now() - shownAt);
    if (current < 0 || look < SHORTEST_LOOK_MS) return;
    const trial = trials[current];
    const before = answerTo(trial);
    if (before) {
      before.ms += look;
      before.choice = choice;
    } else {
      state.answers.push({ trial: trial.id, choice, ms: look });
    }
    keep();
    // After a step back, on to what is next, which may be answered already.
    goTo(current + 1);
  }
  function goBack() {
    showTrial(current < 0 ? trials.length - 1 : current - 1);
  }
  function finish() {
    if (firstOpen() < trials.length) return;
    state.finished = now();
    keep();
    if (!served) {
      saveFile();
      showDone("file");
    }
  }
  function showDone(how) {
    current = -1;
    setPlace("");
    byId("done_text").textContent = {
      sent: "Your answers have arrived. You can close this page.",
      unsent: "Your answers could not be sent yet. Please save them as a file, and send that file to "
        + "the people who asked you.",
      file: `Your answers are in the file answers_${study.reader}.json, in the folder of your `
        + "downloads. Please send it to the people who asked you. If it is not there, save it again:",
    }[how];
    show("done");
  }
  function showWelcome() {
    current = -1;
    const returning = Boolean(state.started);
    byId("introduction").hidden = returning;
    byId("returning").hidden = !returning;
    byId("returning_text").textContent =
      `You have answered ${state.answers.length} of ${trials.length}; the rest is where you left it.`;
    byId("start").textContent = returning ? "Continue" : "Start";
    byId("no_storage").hidden = storageWorks || served;
    show("welcome");
  }

  // --- Zoom.

  let zoomLevel = 1;
  const frame = byId("zoom_frame");
  const zoomed = frame.querySelector("img");
  function resize(level) {
    // Keeps the middle of what is seen in the middle.
    const middle = [
      (frame.scrollLeft + frame.clientWidth / 2) / frame.scrollWidth,
      (frame.scrollTop + frame.clientHeight / 2) / frame.scrollHeight,
    ];
    zoomLevel = Math.min(Math.max(level, 1), 6);
    zoomed.style.width = `${Math.min(frame.clientWidth, frame.clientHeight) * zoomLevel}px`;
    frame.scrollLeft = middle[0] * frame.scrollWidth - frame.clientWidth / 2;
    frame.scrollTop = middle[1] * frame.scrollHeight - frame.clientHeight / 2;
  }
  function openZoom(image) {
    zoomed.src = image.src;
    zoomed.alt = image.alt;
    byId("zoom").showModal();
    resize(1);
    frame.focus();
  }
  let drag = null;
  frame.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") drag = [event.clientX + frame.scrollLeft, event.clientY + frame.scrollTop];
  });
  frame.addEventListener("pointermove", (event) => {
    if (drag) frame.scrollTo(drag[0] - event.clientX, drag[1] - event.clientY);
  });
  window.addEventListener("pointerup", () => { drag = null; });
  frame.addEventListener("wheel", (event) => {
    event.preventDefault();
    resize(zoomLevel * (event.deltaY < 0 ? 1.25 : 0.8));
  }, { passive: false });
  byId("zoom_in").addEventListener("click", () => resize(zoomLevel * 1.5));
  byId("zoom_out").addEventListener("click", () => resize(zoomLevel / 1.5));
  byId("zoom_close").addEventListener("click", () => byId("zoom").close());

  // --- Mouse and keyboard.

  for (const button of document.querySelectorAll("[data-choice]")) {
    button.addEventListener("click", () => record(button.dataset.choice));
  }
  for (const button of document.querySelectorAll(".picture.zoomable")) {
    button.addEventListener("click", () => openZoom(button.querySelector("img")));
  }
  byId("next").addEventListener("click", () => {
    record(boxes().filter((box) => box.checked).map((box) => Number(box.value)));
  });
  byId("back").addEventListener("click", goBack);
  byId("finish").addEventListener("click", finish);
  byId("save_again").addEventListener("click", saveFile);
  byId("save_so_far").addEventListener("click", saveFile);
  byId("profile").addEventListener("submit", (event) => {
    event.preventDefault();
    state.role = byId("role").value;
    state.years = byId("years").value;
    state.started = now();
    keep();
    goTo(0);
  });
  byId("start").addEventListener("click", (event) => {
    if (state.started) {
      event.preventDefault();
      goTo(firstOpen());
    }
  });

  function zoomByKey(key) {
    const section = byId(trials[current].kind);
    if (section.id === "relevance") {
      const tile = document.activeElement.closest(".tile");
      if (tile) openZoom(tile.querySelector("img"));
    } else {
      const images = section.querySelectorAll(".picture img");
      openZoom(images[key === "x" ? images.length - 1 : 0]);
    }
  }
  function moveFocus(key) {
    const all = boxes();
    const at = all.indexOf(document.activeElement);
    const columns = getComputedStyle(byId("tiles")).gridTemplateColumns.split(" ").length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
    const to = at < 0 ? 0 : at + step;
    if (all[to]) all[to].focus();
  }
  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (byId("zoom").open) {
      if (key === "+" || key === "=") resize(zoomLevel * 1.5);
      else if (key === "-") resize(zoomLevel / 1.5);
      else if (key === "z" || key === "x") byId("zoom").close();
      return;
    }
    const onButton = document.activeElement.tagName === "BUTTON";
    const begin = document.querySelector("[id^='intro_']:not([hidden]) .begin");
    if ((key === "b" || key === "Backspace") && !byId("back").hidden) {
      goBack();
    } else if (begin && key === "Enter" && !onButton) {
      begin.click();
    } else if (current >= 0 && (key === "z" || key === "x")) {
      zoomByKey(key);
    } else if (current >= 0 && trials[current].kind === "relevance") {
      if (key.startsWith("Arrow")) moveFocus(key);
      else if (key === "Enter" && !onButton) byId("next").click();
      else return;
    } else if (current >= 0 && /^[1-6]$/.test(key)) {
      const choices = byId(trials[current].kind).querySelectorAll("[data-choice]");
      if (choices[key - 1]) choices[key - 1].click();
    } else {
      return;
    }
    event.preventDefault();
  });
  // The same study in another tab: the answers given there count here too.
  window.addEventListener("storage", (event) => {
    if (event.key === STORED_AS && event.newValue && adopt(JSON.parse(event.newValue))) begin();
  });

  function begin() {
    if (state.finished) {
      showDone(served ? "unsent" : "file");
      send();
    } else {
      showWelcome();
    }
  }
  readHere();
  findServer().then(() => {
    begin();
    fetchAllImages();
  });
})();
