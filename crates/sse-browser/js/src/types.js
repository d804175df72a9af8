// The words that the modules share; types only.

/**
 * An event, as callers see it: the seed's form.
 *
 * @template [Data=any]
 * @typedef {object} SSEMessage
 * @property {string} type The event's type; `message` when the stream named none.
 * @property {Data} data What `parse` made of its data: by default the JSON value, or the text where it is not JSON.
 * @property {string} [id] The id that stood with this event.
 * @property {number} timestamp When this browser got it, in Unix milliseconds.
 * @property {string} [raw] Its lines as they came; only with the option `raw`.
 */

/**
 * The data of a `notification` event.
 *
 * @typedef {object} SSENotification
 * @property {"info" | "success" | "warning" | "error"} type
 * @property {string} [title]
 * @property {string} message
 * @property {Record<string, any>} [data]
 * @property {number} timestamp In Unix milliseconds.
 */

/**
 * The data of a `system` event.
 *
 * @typedef {object} SSESystemEvent
 * @property {string} event
 * @property {any} [data]
 * @property {number} timestamp In Unix milliseconds.
 */

/**
 * Events that this client will never get.
 *
 * @typedef {object} SSEGap
 * @property {string} reason `overflow`, `trimmed`, `epoch`, `invalid`, `future`, `damaged`.
 * @property {number | null} [dropped] How many, where it is known.
 * @property {string | null} [from]
 * @property {string | null} [to]
 */

/**
 * Where a client stands.
 *
 * - `idle`: `connect` was not called yet.
 * - `connecting`: a request is under way.
 * - `open`: the stream is there.
 * - `waiting`: it will try again, at `nextRetryAt` or when the page or the network is back.
 * - `closed`: ended by `disconnect`, or because the server wants this client to stay away.
 * - `failed`: given up; `error` says why.
 *
 * @typedef {"idle" | "connecting" | "open" | "waiting" | "closed" | "failed"} SSEState
 */

/**
 * What a client is at a moment. Never changed: a new one is made for each change.
 *
 * @typedef {object} SSESnapshot
 * @property {SSEState} state
 * @property {"alone" | "leader" | "follower"} role Whether this tab has the stream, and whether others live of it.
 * @property {string | null} clientId What the server calls this stream.
 * @property {string | null} userId For whom the server takes it.
 * @property {number} attempt Failures in a row so far.
 * @property {number | null} nextRetryAt In Unix milliseconds.
 * @property {string} lastEventId Where it would resume; empty for none.
 * @property {import("./error.js").SSEError | null} error Why the stream is not there.
 * @property {SSEMessage | null} lastMessage
 * @property {readonly SSEMessage[]} messages Oldest first, the last `maxMessages`; heartbeats are left out.
 */

/**
 * @typedef {object} SSECallbacks
 * @property {() => void} [onConnect] The stream is there, for the first time or again.
 * @property {() => void} [onDisconnect] The stream is gone.
 * @property {(error: import("./error.js").SSEError) => void} [onError] An attempt or a stream failed; `error.retryable` says whether
 *   it will be tried again.
 * @property {(message: SSEMessage) => void} [onMessage] Every event, heartbeats and `connection` included.
 * @property {(gap: SSEGap) => void} [onGap] Events were lost for good: load what they would have told from elsewhere.
 */

/**
 * @template T
 * @typedef {T | (() => T | Promise<T>)} PerAttempt A value, or a function that is asked for it before each attempt.
 */

/**
 * @typedef {object} SSEBackoff
 * @property {number} [factor] Default 2.
 * @property {number} [max] The longest delay in milliseconds, default 30,000.
 * @property {"full" | "none"} [jitter] `full` (default): anything up to the delay, so that many clients do not return at once.
 */

/**
 * What a connection is made of.
 *
 * @typedef {object} SSESource
 * @property {string} [url] Default `/api/sse`.
 * @property {readonly string[]} [topics] Asked for as `topics=a,b`.
 * @property {boolean} [reconnect] Default true.
 * @property {number} [reconnectInterval] The first delay in milliseconds, default 3,000, until the server says another by `retry:`.
 * @property {number} [maxReconnectAttempts] Failures in a row after which it gives up, default 5; `Infinity` never does.
 * @property {SSEBackoff} [backoff]
 * @property {PerAttempt<Record<string, string>>} [headers]
 * @property {PerAttempt<Record<string, string>>} [query]
 * @property {PerAttempt<string>} [ticket] A one-time ticket, sent as `ticket`.
 * @property {string} [method] Default `GET`.
 * @property {PerAttempt<BodyInit | null>} [body]
 * @property {RequestCredentials} [credentials] Default `same-origin`.
 * @property {() => unknown} [onUnauthorized] Called, and waited for, when the server says `auth_expired` or 401: the place to renew a
 *   token. It then tries once more. `false`, or an error, gives up.
 * @property {string} [lastEventId] Where to resume.
 * @property {"session" | "local" | Pick<Storage, "getItem" | "setItem" | "removeItem">} [storage] Where the last id outlives the
 *   page; by default nowhere.
 * @property {number} [heartbeatTimeout] Silence in milliseconds after which the stream counts as dead; by default two and a half
 *   of the intervals that the server announces. 0: never.
 * @property {number} [connectTimeout] Milliseconds up to the head of the answer, default 20,000. 0: no limit.
 * @property {boolean} [pauseWhenHidden] Whether a hidden tab gives its stream up until it is seen again. Default false.
 * @property {number} [maxEventBytes] The longest event, default 4 Mi; a longer one ends it with an error.
 * @property {"fetch" | "eventsource"} [transport] Default `fetch`. `eventsource` is the browser's own: no headers, no status.
 * @property {readonly string[]} [types] With `eventsource`: the types of events beside the standard ones.
 * @property {boolean} [raw] Whether messages keep their lines. Only with `fetch`.
 * @property {typeof globalThis.fetch} [fetch]
 * @property {string | null} [user] Who is signed in, by a name of the app's own. Tabs share a stream only with the same name.
 * @property {boolean} [share] Whether tabs share one stream. By default where `user` is given, and the browser can.
 */

/**
 * @typedef {object} SSEInbox
 * @property {(text: string, type: string) => unknown} [parse] Default: JSON, or else the text.
 * @property {number} [maxMessages] Kept in `messages`, default 100.
 */

/**
 * @typedef {SSESource & SSEInbox & SSECallbacks & { signal?: AbortSignal }} SSEOptions
 */

/**
 * An event on its way from the stream to a tab.
 *
 * @typedef {object} Arrival
 * @property {string} type
 * @property {string} text
 * @property {string} [id] Its own id.
 * @property {string} lastEventId The id at which the stream stood then.
 * @property {string} [raw]
 * @property {number} timestamp
 */

/**
 * What a connection tells.
 *
 * @typedef {object} Sink
 * @property {(change: Partial<SSESnapshot>) => void} change
 * @property {(event: Arrival) => void} event
 * @property {(error: import("./error.js").SSEError) => void} error
 */

/**
 * What gives events: a stream, or the tab that has it.
 *
 * @typedef {object} Source
 * @property {() => void} connect
 * @property {() => void} disconnect
 * @property {() => void} wake The page or the network is back: do not wait any longer.
 * @property {() => void} check Time may have passed unseen: do what is due.
 * @property {() => void} suspend The page goes to sleep: let go of everything, and come back at `wake`.
 * @property {() => void} [stopAll] Ends the streams of all tabs.
 */

/**
 * The world, so that tests can bring their own.
 *
 * @typedef {object} World
 * @property {() => number} now
 * @property {() => number} random
 * @property {(run: () => void, delay: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {typeof globalThis.fetch} [fetch]
 * @property {typeof EventSource} [EventSource]
 * @property {typeof BroadcastChannel} [BroadcastChannel]
 * @property {Pick<LockManager, "request">} [locks]
 * @property {EventTarget} [window]
 * @property {EventTarget & { visibilityState?: string }} [document]
 * @property {() => boolean} isOnline
 * @property {string} base What addresses are relative to.
 */

export {};
