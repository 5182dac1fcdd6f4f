// Acts on their way to the server. An act lies in this browser's own storage before anything else happens, and leaves
// it only when the server has it on disk, or when a person says so. Sending twice is harmless: the server counts an act
// by its `submit_id`.

import { exclusively } from "./locks.js";

const WAITS = [1, 2, 4, 8, 15, 30]; // seconds between attempts
const REFUSED = new Set([400, 409, 413, 422]); // the act itself is wrong; every other failure passes

const settled = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function open() {
  const request = indexedDB.open("martello-outbox", 1);
  request.onupgradeneeded = () => {
    const acts = request.result.createObjectStore("acts", { keyPath: "seq", autoIncrement: true });
    acts.createIndex("scope", "scope");
    acts.createIndex("submit_id", "submit_id", { unique: true });
  };
  return settled(request);
}

export class Outbox {
  #db;
  #scope;
  #send;
  #changed;
  #channel;
  #flushing = null;
  #isAskedAgain = false;
  #failures = 0;
  #timer;
  #trouble = null;

  // `scope` is one person in one campaign; `send` gives a promise; `changed` is told what waits and what was refused.
  static async open(scope, { send, changed }) {
    const outbox = new Outbox();
    outbox.#db = await open();
    outbox.#scope = scope;
    outbox.#send = send;
    outbox.#changed = changed;
    outbox.#channel = new BroadcastChannel(`martello outbox ${scope}`);
    outbox.#channel.onmessage = () => outbox.#tell();
    addEventListener("online", () => outbox.flush());
    addEventListener("pageshow", () => outbox.flush());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") outbox.flush();
    });
    await outbox.#tell();
    return outbox;
  }

  async all() {
    const acts = this.#db.transaction("acts").objectStore("acts");
    return settled(acts.index("scope").getAll(this.#scope));
  }

  // Kept on disk when this resolves; in place of another act that was refused, if one is named.
  async put(act, { replacing = null } = {}) {
    await this.#write(async (acts) => {
      if (replacing !== null) await this.#drop(acts, replacing);
      acts.add({ ...act, scope: this.#scope, wasTried: false, problem: null });
    });
    await this.#announce();
    this.flush();
  }

  // Takes an act back that no server can have taken; says whether it could.
  async takeBack(submitId) {
    const wasTaken = await this.#write(async (acts) => {
      const act = await settled(acts.index("submit_id").get(submitId));
      if (!act || (act.wasTried && !act.problem)) return false;
      acts.delete(act.seq);
      return true;
    });
    await this.#announce();
    return wasTaken;
  }

  async dismiss(submitId) {
    await this.#write((acts) => this.#drop(acts, submitId));
    await this.#announce();
  }

  async sendAgain(submitId) {
    await this.#change(submitId, { problem: null });
    await this.#announce();
    return this.flush();
  }

  // Resolves when everything was tried that waited when it was called.
  flush() {
    clearTimeout(this.#timer);
    this.#isAskedAgain = true;
    this.#flushing ??= this.#sendInTurn().finally(() => { this.#flushing = null; });
    return this.#flushing;
  }

  async #sendInTurn() {
    while (this.#isAskedAgain) {
      this.#isAskedAgain = false;
      await exclusively(`martello sends ${this.#scope}`, () => this.#sendAll());
    }
    await this.#tell();
  }

  async #sendAll() {
    for (const act of await this.all()) {
      if (act.problem) continue;
      if (!navigator.onLine) return this.#later({ isOffline: true });
      if (!(await this.#change(act.submit_id, { wasTried: true }))) continue; // taken back meanwhile
      try {
        await this.#send(act);
        await this.#write((acts) => this.#drop(acts, act.submit_id));
      } catch (error) {
        if (!REFUSED.has(error.status)) return this.#later(error);
        await this.#change(act.submit_id, { problem: error.problem });
      }
      this.#failures = 0;
      this.#trouble = null;
      await this.#announce();
    }
    this.#trouble = null;
  }

  #later(trouble) {
    this.#trouble = trouble;
    const seconds = WAITS[Math.min(this.#failures++, WAITS.length - 1)];
    this.#timer = setTimeout(() => this.flush(), seconds * 1000);
  }

  async #write(work) {
    const transaction = this.#db.transaction("acts", "readwrite", { durability: "strict" });
    const isKept = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    isKept.catch(() => {}); // told below, unless the work itself failed first
    const result = await work(transaction.objectStore("acts"));
    await isKept;
    return result;
  }

  async #drop(acts, submitId) {
    const seq = await settled(acts.index("submit_id").getKey(submitId));
    if (seq !== undefined) acts.delete(seq);
  }

  #change(submitId, changes) {
    return this.#write(async (acts) => {
      const act = await settled(acts.index("submit_id").get(submitId));
      if (act) acts.put({ ...act, ...changes });
      return Boolean(act);
    });
  }

  async #announce() {
    this.#channel.postMessage("changed");
    await this.#tell();
  }

  async #tell() {
    const acts = await this.all();
    this.#changed({
      waiting: acts.filter((act) => !act.problem),
      refused: acts.filter((act) => act.problem),
      trouble: this.#trouble,
    });
  }
}
