// An environment under a test's control: clock, random numbers, network and page.

/** Runs everything that is ready. */
export const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};

/** The delay of a browser's timer: what is no number of milliseconds below 2³¹ elapses at once. */
const browserDelay = (delay) => (delay >= 0 && delay < 2 ** 31 ? delay : 0);

/** A connection that the client asked for. */
class Exchange {
  constructor(url, init) {
    this.url = new URL(url);
    this.init = init;
    this.headers = init.headers;
    this.answered = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    init.signal.addEventListener("abort", () => this.#aborted());
  }

  #aborted() {
    this.isAborted = true;
    const error = new DOMException("aborted", "AbortError");
    this.reject(error);
    try { this.controller?.error(error); } catch { /* It was closed before. */ }
  }

  /** Answers with a status, and a whole body. */
  async answer(status, body = null, headers = {}) {
    this.resolve(new Response(body, { status, headers }));
    await settle();
  }

  /** Answers with a stream. */
  async open(text = "", headers = {}) {
    const body = new ReadableStream({ start: (controller) => { this.controller = controller; } });
    this.resolve(new Response(body, { headers: { "content-type": "text/event-stream", ...headers } }));
    await settle();
    if (text) await this.send(text);
  }

  async send(text) {
    this.controller.enqueue(new TextEncoder().encode(text));
    await settle();
  }

  async end() {
    this.controller.close();
    await settle();
  }

  async cut() {
    const error = new TypeError("network error");
    this.controller ? this.controller.error(error) : this.reject(error);
    await settle();
  }
}

export function createWorld({ random = 0.5, ...rest } = {}) {
  let now = 1_000_000;
  const timers = new Map();
  const window = new EventTarget(), document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const world = {
    exchanges: [],
    isOnlineNow: true,
    startedTimers: 0,
    diceShow: random,
    now: () => now,
    random: () => world.diceShow,
    setTimeout: (run, delay) => {
      const timer = Symbol("timer");
      world.startedTimers++;
      timers.set(timer, { run, due: now + browserDelay(delay) });
      return timer;
    },
    clearTimeout: (timer) => timers.delete(timer),
    fetch: (url, init) => {
      const exchange = new Exchange(url, init);
      world.exchanges.push(exchange);
      return exchange.answered;
    },
    isOnline: () => world.isOnlineNow,
    base: "http://app.test/page",
    window,
    document,
    ...rest,
    /** The latest connection. */
    get last() { return world.exchanges.at(-1); },
    /** Advances the time, timer by timer. */
    pass: async (milliseconds) => {
      const end = now + milliseconds;
      for (;;) {
        await settle();
        const next = [...timers].filter(([, { due }]) => due <= end).sort((a, b) => a[1].due - b[1].due)[0];
        if (!next) break;
        timers.delete(next[0]);
        now = Math.max(now, next[1].due);
        next[1].run();
      }
      now = end;
      await settle();
    },
    /** Advances the time without running timers, as in a frozen page. */
    freeze: (milliseconds) => { now += milliseconds; },
    fire: async (target, type) => {
      target.dispatchEvent(new Event(type));
      await settle();
    },
    timers,
  };
  return world;
}
