// What the tabs of one browser share, for tabs in one process.

/** Locks of one browser. */
function createLocks() {
  const locks = new Map();
  const next = (name) => {
    const { queue } = locks.get(name);
    const one = queue.shift();
    locks.get(name).held = one;
    one?.grant();
  };
  const request = (name, { signal, steal }, run) => new Promise((resolve, reject) => {
    if (!locks.has(name)) locks.set(name, { queue: [] });
    const lock = locks.get(name);
    const one = {
      reject,
      grant: async () => {
        // A browser calls back later, never within `request`.
        await undefined;
        const value = await run({ name });
        if (lock.held !== one) return;
        resolve(value);
        next(name);
      },
    };
    signal?.addEventListener("abort", () => {
      const at = lock.queue.indexOf(one);
      if (at < 0) return;
      lock.queue.splice(at, 1);
      reject(new DOMException("aborted", "AbortError"));
    });
    if (steal) {
      lock.held?.reject(new DOMException("stolen", "AbortError"));
      lock.held = one;
      one.grant();
    } else {
      lock.queue.push(one);
      if (!lock.held) next(name);
    }
  });
  return { request };
}

/** A `BroadcastChannel` whose messages arrive later, in order. */
function createChannels() {
  const channels = new Set();
  return class {
    constructor(name) {
      this.name = name;
      channels.add(this);
    }

    postMessage(data) {
      for (const other of channels) {
        if (other === this || other.name !== this.name) continue;
        const copy = structuredClone(data);
        setImmediate(() => { if (channels.has(other)) other.onmessage?.({ data: copy }); });
      }
    }

    close() {
      channels.delete(this);
    }
  };
}

/** A storage of strings. */
export const createStorage = (entries = new Map()) => ({
  getItem: (key) => entries.get(key) ?? null,
  setItem: (key, value) => { entries.set(key, value); },
  removeItem: (key) => { entries.delete(key); },
});

/** The parts that all tabs of a browser share. */
export const createParts = () => ({ locks: createLocks(), BroadcastChannel: createChannels(), localStorage: createStorage() });
