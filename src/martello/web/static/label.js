// The labeling page: shows one unit, keeps the next ones loaded, turns keys and clicks into acts. Every act goes into
// the outbox first; what a unit looks like is the server's templates'.

import { ask } from "./ask.js";
import { Holdings, exclusively } from "./locks.js";
import { Outbox } from "./outbox.js";

const AHEAD = 3; // units loaded behind the one shown
const WAIT_FOR_OTHERS = 15_000; // milliseconds until asking again when nothing is left for this person
const WAIT_AFTER_FAULT = 3_000;
const KEPT_FOR = 10 * 60_000; // shorter than a unit stays with one person
const METER_EVERY = 10_000;
const SAY_METER_EVERY = 15_000;

const find = (id) => document.getElementById(id);
const desk = find("desk");
const { annotator, campaign } = desk.dataset;
const scope = `${annotator} ${campaign}`;
const stage = find("stage");
const help = find("help");
const search = find("find");
const answers = [...desk.querySelectorAll("#answers [data-answer]")];
const byKey = new Map(answers.filter((b) => b.dataset.key).map((b) => [b.dataset.key, b.dataset.answer]));

const holdings = new Holdings(scope);
const queue = []; // the unit shown, then those behind it
const past = []; // what was done in this tab, for undo
let outbox;
let isBusy = false;
let isRefilling = false;
let isDone = false;
let refillTimer;
let meterTimer;
let clock = { since: 0, before: 0 };
let saidMeterAt = 0;
let sentence = "";

const post = (path, body, options = {}) => ask(path, { body, annotator, ...options });

// Units

async function refill() {
  clearTimeout(refillTimer);
  if (isRefilling || isDone || queue.length > AHEAD) return;
  isRefilling = true;
  try {
    await exclusively(`martello asks ${scope}`, takeMore);
    if (!queue.length) await refreshMeter();
    if (!queue.length && !isDone) wait("Nothing is left for you just now: the rest lies with others. This page asks again by itself.", WAIT_FOR_OTHERS);
  } catch (error) {
    if (queue.length) refillTimer = setTimeout(refill, WAIT_AFTER_FAULT);
    else wait(inWords(error), WAIT_AFTER_FAULT);
  } finally {
    isRefilling = false;
  }
}

async function takeMore() {
  // in this order: a unit answered in between is put into the outbox before it is let go, so one of the two names it
  const held = await holdings.all();
  const onTheirWay = (await outbox.all()).map((act) => act.assignment);
  const holding = [...new Set([...held, ...onTheirWay])];
  const { units } = await post("/label/next", { k: AHEAD + 1 - queue.length, holding });
  const isEmpty = !queue.length;
  for (const unit of units) {
    if (queue.some((other) => other.assignment === unit.assignment)) continue;
    await holdings.hold(unit.assignment);
    queue.push(unit);
    loadPictures(unit.html);
  }
  remember();
  if (isEmpty && queue.length) show();
}

// A page that is loaded again shows what it showed, also while the server is away.

function remember() {
  try {
    sessionStorage.setItem(`martello units ${scope}`, JSON.stringify({ at: Date.now(), queue }));
  } catch {
    // too large to keep: the server gives them again
  }
}

async function takeUpAgain() {
  const { at = 0, queue: kept = [] } = JSON.parse(sessionStorage.getItem(`martello units ${scope}`) ?? "{}");
  if (Date.now() - at > KEPT_FOR) return;
  const gone = new Set((await outbox.all()).map((act) => act.assignment));
  for (const unit of kept) {
    if (!gone.has(unit.assignment) && (await holdings.hold(unit.assignment))) queue.push(unit);
  }
  if (queue.length) show();
}

function loadPictures(html) {
  const part = document.createElement("template");
  part.innerHTML = html;
  for (const { src } of part.content.querySelectorAll("img")) new Image().src = src;
}

function show() {
  const unit = queue[0];
  enable(Boolean(unit));
  if (!unit) return;
  stage.innerHTML = unit.html;
  stage.setAttribute("aria-busy", "false");
  stage.dataset.assignment = unit.assignment;
  const inUnit = new Set([...stage.querySelectorAll("[data-answer]")].map((each) => each.dataset.answer));
  for (const button of answers) button.hidden = inUnit.has(button.dataset.answer); // candidates are their own buttons
  find("say-unit").textContent = `New unit. ${unit.said}`;
  if (stage.getBoundingClientRect().top < 0) stage.scrollIntoView({ block: "start" });
  clock = { since: performance.now(), before: 0 };
}

function wait(text, milliseconds) {
  const told = document.createElement("p");
  told.className = "quietly";
  told.textContent = text;
  stage.replaceChildren(told);
  stage.setAttribute("aria-busy", "false");
  delete stage.dataset.assignment;
  enable(false);
  refillTimer = setTimeout(refill, milliseconds);
}

function enable(isOn) {
  find("answers").classList.toggle("is-done", isDone);
  for (const button of desk.querySelectorAll("#answers button")) {
    if (!["undo", "help"].includes(button.dataset.act)) button.disabled = !isOn;
  }
}

function inWords(error) {
  if (error.problem) return [error.message, error.problem.try].filter(Boolean).join(". ");
  return "The server cannot be reached. What you have answered is kept here; this page goes on by itself.";
}

// Acts

async function act(kind, answer = null) {
  const unit = queue[0];
  if (isBusy || !unit) return;
  isBusy = true;
  const submission = { submit_id: newId(), assignment: unit.assignment, unit: unit.unit, act: kind, answer, seconds: seconds() };
  try {
    await outbox.put({ ...submission, said: unit.said, html: unit.html }, { replacing: unit.repairs });
  } catch (error) {
    notice(`This browser could not keep the answer (${error?.message}); nothing was taken. Try again.`);
    return;
  } finally {
    isBusy = false;
  }
  queue.shift();
  holdings.release(unit.assignment);
  past.push({ submit_id: submission.submit_id, unit });
  notice("");
  clearSearch();
  remember();
  show();
  if (queue.length <= AHEAD) refill();
}

async function undo() {
  if (isBusy) return;
  isBusy = true;
  try {
    const last = past.at(-1);
    if (last && (await outbox.takeBack(last.submit_id))) {
      past.pop();
      putBack(last.unit);
      return;
    }
    await undoAtServer(last);
  } catch (error) {
    notice(error.problem ? inWords(error) : "Undo needs the network here: the last answer has gone out already.");
  } finally {
    isBusy = false;
  }
}

async function undoAtServer(last) {
  await outbox.flush();
  if ((await outbox.all()).some((each) => each.submit_id === last?.submit_id)) {
    notice("Undo needs the network here: the last answer may have gone out already.");
    return;
  }
  const { unit } = await post("/label/undo", { submit_id: last?.submit_id ?? null });
  past.pop();
  if (unit) putBack(unit);
  else notice("There is nothing to undo.");
  scheduleMeter();
}

function putBack(unit) {
  isDone = false;
  const at = queue.findIndex((other) => other.assignment === unit.assignment);
  if (at >= 0) queue.splice(at, 1);
  queue.unshift({ ...unit, stays: true }); // also when the campaign is done meanwhile
  holdings.hold(unit.assignment);
  remember();
  show();
  notice("Taken back: answer it again.");
}

function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function seconds() {
  return Math.round((clock.before + (performance.now() - clock.since)) / 10) / 100;
}

// The outbox

function outboxChanged({ waiting, refused, trouble }) {
  const shown = find("sending");
  const isStuck = waiting.length > 0 && trouble !== null;
  shown.hidden = !isStuck;
  if (isStuck) shown.textContent = stuckInWords(waiting.length, trouble);
  find("refused").hidden = refused.length === 0;
  find("refused").replaceChildren(...refused.map(refusedItem));
}

function stuckInWords(n, trouble) {
  const many = `${n} ${n === 1 ? "answer" : "answers"}`;
  return trouble.problem?.what ? `${many} kept here: ${trouble.problem.what}` : `${many} waiting for the network`;
}

function refusedItem(kept) {
  const item = find("refused-item").content.cloneNode(true);
  const fill = (name, text) => { item.querySelector(`[data-fill=${name}]`).textContent = text; };
  fill("what", kept.problem.what ?? "The server did not take this answer.");
  fill("expected", kept.problem.expected ? `Expected: ${kept.problem.expected}` : "");
  fill("answer", kept.act === "label" ? kept.answer : kept.act);
  fill("unit", kept.said.slice(0, 140));
  const on = (name, work) => item.querySelector(`[data-do=${name}]`).addEventListener("click", work);
  on("again", () => outbox.sendAgain(kept.submit_id));
  on("dismiss", () => outbox.dismiss(kept.submit_id));
  on("repair", () => {
    if (queue.some((unit) => unit.repairs === kept.submit_id)) return;
    putBack({ ...kept, repairs: kept.submit_id });
    stage.focus();
  });
  return item;
}

async function send({ submit_id, assignment, unit, act: kind, answer, seconds: spent }) {
  await post("/label/submit", { submit_id, assignment, unit, act: kind, answer, seconds: spent }, { keepalive: true });
  scheduleMeter();
}

// The meter

function scheduleMeter(milliseconds = 300) {
  clearTimeout(meterTimer);
  meterTimer = setTimeout(() => refreshMeter().catch(() => scheduleMeter(METER_EVERY)), milliseconds);
}

async function refreshMeter() {
  if (document.visibilityState !== "visible") return;
  const now = await ask("/label/meter", { annotator });
  const isOpen = [...find("meter").querySelectorAll("details")].map((each) => each.open);
  find("meter").innerHTML = now.html;
  find("meter").querySelectorAll("details").forEach((each, i) => { each.open = isOpen[i] ?? false; });
  sayMeter(now);
  if (now.is_done && !isDone && !queue[0]?.stays) finish(now.done);
  else if (!now.is_done && isDone) {
    isDone = false;
    refill();
  }
  scheduleMeter(METER_EVERY);
}

function sayMeter(now) {
  const isNews = now.sentence !== sentence;
  if (!isNews || (!now.is_done && Date.now() - saidMeterAt < SAY_METER_EVERY)) return;
  if (sentence) find("say-meter").textContent = now.sentence;
  sentence = now.sentence;
  saidMeterAt = Date.now();
}

function finish(html) {
  isDone = true;
  for (const unit of queue.splice(0)) holdings.release(unit.assignment);
  remember();
  stage.innerHTML = html;
  stage.setAttribute("aria-busy", "false");
  delete stage.dataset.assignment;
  enable(false);
  stage.querySelector("h2")?.focus();
}

function notice(text) {
  find("notice").textContent = text;
}

// Keys and clicks

function areKeysOn() {
  return find("keys-on").checked;
}

// The letter on the key where the layout gives no Latin one.
function keyOf({ key, code }) {
  if (/^[\x21-\x7e]$/.test(key)) return key.toLowerCase();
  return /^(Key|Digit|Numpad)(.)$/.exec(code)?.[2].toLowerCase() ?? key;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (help.open || event.target.closest?.("input, textarea, select")) return;
  const key = keyOf(event);
  const work = areKeysOn() ? workOf(key) : undefined;
  if (!work) return;
  event.preventDefault();
  work();
});

function workOf(key) {
  if (key === "/" && search) return () => search.focus();
  if (key === "?") return () => act("unsure");
  if (key === "s") return () => act("skip");
  if (key === "u") return undo;
  if (key === "h") return () => help.showModal();
  return byKey.has(key) ? () => act("label", byKey.get(key)) : undefined;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button");
  if (!button) return;
  if (button.dataset.answer !== undefined && desk.contains(button)) act("label", button.dataset.answer);
  else if (button.id === "sending") outbox.flush();
  else if (button.dataset.act === "undo") undo();
  else if (button.dataset.act === "help") help.showModal();
  else if (button.dataset.act === "close") help.close();
  else if (button.dataset.act) act(button.dataset.act);
});

function clearSearch() {
  if (!search) return;
  search.value = "";
  filter();
}

function filter() {
  const wanted = search.value.trim().toLowerCase();
  for (const button of answers) {
    button.hidden = !button.dataset.answer.toLowerCase().includes(wanted);
    button.classList.remove("first");
  }
  if (wanted) firstFound()?.classList.add("first");
}

const firstFound = () => answers.find((button) => !button.hidden);

search?.addEventListener("input", filter);
search?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && search.value.trim() && firstFound()) act("label", firstFound().dataset.answer);
  if (event.key === "Escape") {
    clearSearch();
    search.blur();
  }
});

find("keys-on").checked = localStorage.getItem("martello keys") !== "off";
find("keys-on").addEventListener("change", () => localStorage.setItem("martello keys", areKeysOn() ? "on" : "off"));

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") {
    clock = { since: Infinity, before: clock.before + performance.now() - clock.since };
  } else {
    clock = { ...clock, since: performance.now() };
    scheduleMeter();
    refill();
  }
});
addEventListener("online", () => refill());

// Beginning

try {
  outbox = await Outbox.open(scope, { send, changed: outboxChanged });
  for (const kept of await outbox.all()) past.push({ submit_id: kept.submit_id, unit: kept });
  await takeUpAgain();
  outbox.flush();
  refill();
  scheduleMeter(METER_EVERY);
} catch (error) {
  wait("", METER_EVERY);
  stage.textContent = `This browser keeps nothing for this page (${error?.message}), so answers could be lost. Use a window that is not private.`;
}
