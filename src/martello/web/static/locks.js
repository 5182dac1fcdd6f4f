// What tabs of one browser agree on: one at a time, and who holds what. Away from localhost and HTTPS browsers have no
// locks; then each tab is by itself, and the server counts every act once all the same.

const locks = navigator.locks;

export function exclusively(name, work) {
  return locks ? locks.request(name, work) : work();
}

export class Holdings {
  #prefix;
  #mine = new Map(); // held name -> how to let go

  constructor(scope) {
    this.#prefix = `martello holds ${scope} `;
  }

  // Says whether it is now this tab's, which it is not when another tab holds it.
  hold(name) {
    if (this.#mine.has(name) || !locks) {
      if (!locks) this.#mine.set(name, () => {});
      return Promise.resolve(true);
    }
    return new Promise((told) => {
      locks.request(this.#prefix + name, { ifAvailable: true }, (lock) => {
        told(lock !== null);
        return lock && new Promise((release) => this.#mine.set(name, release));
      });
    });
  }

  release(name) {
    this.#mine.get(name)?.();
    this.#mine.delete(name);
  }

  // Everything that any open tab holds; a closed or crashed tab holds nothing.
  async all() {
    const found = new Set(this.#mine.keys());
    for (const { name } of (await locks?.query())?.held ?? []) {
      if (name.startsWith(this.#prefix)) found.add(name.slice(this.#prefix.length));
    }
    return [...found];
  }
}
