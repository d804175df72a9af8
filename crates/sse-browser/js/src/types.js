// Types that the modules share. The file contains no code.

/**
 * An event as an app receives it.
 *
 * @template [Data=any]
 * @template {string} [Type=string]
 * @typedef {object} SSEMessage
 * @property {Type} type The event's type; `message` if the event has no type.
 * @property {Data} data The result of `parse`: by default the JSON value, or the text if the data
 *   is not JSON.
 * @property {string} [id] The event's own id.
 * @property {number} timestamp Time of arrival in this browser, in Unix milliseconds.
 * @property {string} [raw] The event's lines as received; only with the option `raw`.
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
 * The data of each type of event that an app expects, by the type. Without it, data is `any`.
 *
 * @typedef {Record<string, any>} SSEEvents
 */

/**
 * The events of an app and of the server, with the data of each type.
 *
 * @template Events
 * @typedef {Events & Omit<{ notification: SSENotification, system: SSESystemEvent }, keyof Events>
 *   } SSEEventsOf
 */

/**
 * The types of these events.
 *
 * @template Events
 * @typedef {keyof SSEEventsOf<Events> & string} SSETypeOf
 */

/**
 * A message of any of the types: `type` tells which, and with it the type of `data`.
 *
 * @template [Events=SSEEvents]
 * @typedef {{
 *   [Type in SSETypeOf<Events>]: SSEMessage<SSEEventsOf<Events>[Type], Type>
 * }[SSETypeOf<Events>]} SSEMessageOf
 */

/**
 * Listens to one type of event, or to all with `*`.
 *
 * @template [Events=SSEEvents]
 * @typedef {<Type extends SSETypeOf<Events> | "*">(
 *   type: Type,
 *   listener: (message: Type extends SSETypeOf<Events>
 *     ? SSEMessage<SSEEventsOf<Events>[Type], Type>
 *     : SSEMessageOf<Events>) => void,
 * ) => () => void} SSEOn
 */

/**
 * A range of events that this client will never receive.
 *
 * @typedef {object} SSEGap
 * @property {string} reason From the server: `overflow`, `trimmed`, `epoch`, `invalid`, `future`,
 *   `damaged`. From the client: `too_large` for an event of more than `maxEventBytes`, `parse` for
 *   an event for which `parse` threw, `unknown` if the server names no reason.
 * @property {number | null} [dropped] Number of lost events, if known.
 * @property {string | null} [from] The id after which events are missing, if known.
 * @property {string | null} [to] The id up to which events are missing, if known.
 */

/**
 * The state of a client.
 *
 * - `idle`: `connect` has not been called.
 * - `connecting`: a request is in flight.
 * - `open`: the stream is open.
 * - `waiting`: the client will retry, at `nextRetryAt` or when the page wakes or the network
 *   recovers.
 * - `closed`: ended by `disconnect`, or because the server forbids reconnecting.
 * - `failed`: the client has given up; `error` has the reason.
 *
 * @typedef {"idle" | "connecting" | "open" | "waiting" | "closed" | "failed"} SSEState
 */

/**
 * The state of a client at one moment. A snapshot is immutable: each change creates a new snapshot.
 *
 * @template [Events=SSEEvents]
 * @typedef {object} SSESnapshot
 * @property {SSEState} state
 * @property {"alone" | "leader" | "follower"} role The role of this tab: `leader` has the stream
 *   and shares it with the followers, `alone` does not share.
 * @property {string | null} clientId The server's id of this stream.
 * @property {string | null} userId The user that the server has recognised.
 * @property {number} attempt Failures in a row so far.
 * @property {number | null} nextRetryAt Time of the next attempt, in Unix milliseconds.
 * @property {string} lastEventId The id from which the client would resume; empty if it has none.
 * @property {import("./error.js").SSEError | null} error The reason why the stream is not open.
 * @property {SSEMessageOf<Events> | null} lastMessage The latest message. Several can arrive at
 *   once, so `lastMessage` does not show all of them: `onMessage` and `on` do.
 * @property {readonly SSEMessageOf<Events>[]} messages The last `maxMessages`, oldest first,
 *   without heartbeats.
 */

/**
 * @typedef {object} SSECallbacks
 * @property {() => void} [onConnect] Called when the stream opens, for the first time or again.
 * @property {() => void} [onDisconnect] Called when the stream is lost or closed.
 * @property {(error: import("./error.js").SSEError) => void} [onError] Called when an attempt or a
 *   stream fails, or an event is skipped; `error.retryable` says whether the client goes on.
 * @property {(message: SSEMessage) => void} [onMessage] Called for every event, including
 *   heartbeats and `connection`.
 * @property {(gap: SSEGap) => void} [onGap] Called when events were lost for good: reload the state
 *   from elsewhere.
 */

/**
 * @template T
 * @typedef {T | (() => T | Promise<T>)} PerAttempt A value, or a function that returns the value
 *   for each attempt.
 */

/**
 * @typedef {object} SSEBackoff
 * @property {number} [factor] From 1, default 2. With `Infinity` every delay but the first is the
 *   longest.
 * @property {number} [max] The longest delay in milliseconds, default 30,000. At least 100, at most
 *   an hour, also with `Infinity`.
 * @property {"full" | "none"} [jitter] `full` (default): a random time up to the delay, so that
 *   many clients do not return at once.
 */

/**
 * The options of a connection.
 *
 * Every option that is a number accepts numbers from 0, fractions and `Infinity`, unless its
 * description says more. `createSSE` and the hooks throw a `TypeError` for a value that is not a
 * number, also for `null` and texts, and a `RangeError` for `NaN` and for a number that is too
 * small. Numbers of servers never throw: an invalid one is ignored, an extreme one is clamped.
 *
 * @typedef {object} SSESource
 * @property {string} [url] Default `/api/sse`.
 * @property {readonly string[]} [topics] Requested topics, sent as `topics=a,b`, or each as
 *   `topic=a` if one contains a comma or begins or ends with a space.
 * @property {boolean} [reconnect] `true` (default) if the client reconnects.
 * @property {number} [reconnectInterval] The first delay in milliseconds, default 3,000, until the
 *   server sets another by `retry:`. At least 100, also with 0. With `Infinity` the client never
 *   reconnects, as with `reconnect: false`.
 * @property {number} [maxReconnectAttempts] Maximum number of retries in a row, default 5. If the
 *   last of them fails, the client stops retrying until the page wakes or `connect` is called. With
 *   `Infinity` it never stops. Failures while the browser is offline do not count. Fractions are
 *   rounded down.
 * @property {SSEBackoff} [backoff]
 * @property {PerAttempt<HeadersInit>} [headers]
 * @property {PerAttempt<Record<string, string> | Iterable<[string, string]>>} [query]
 * @property {PerAttempt<string>} [ticket] A one-time ticket, sent as `ticket`.
 * @property {string} [method] Default `GET`. The servers of this project stream only to `GET`, and
 *   refuse other methods with 405. `method` and `body` are for other servers, such as those of
 *   language models.
 * @property {PerAttempt<BodyInit | null>} [body] The body of a request with another method.
 * @property {RequestCredentials} [credentials] Default `same-origin`.
 * @property {() => unknown} [onUnauthorized] Called and awaited when the server refuses the
 *   credentials twice in a row, by `auth_expired` or 401: renew the token here. After the first
 *   refusal the client retries with what the browser sends then, because the page can have renewed
 *   its cookie. After this function the client retries once more. If the function returns `false`
 *   or throws, the client fails.
 * @property {string} [lastEventId] The id from which to resume.
 * @property {"session" | "local" | Pick<Storage, "getItem" | "setItem" | "removeItem">} [storage]
 *   Storage in which the last id outlives the page; by default none.
 * @property {number} [heartbeatTimeout] Silence in milliseconds after which the stream counts as
 *   dead; by default two and a half times the interval that the server announces, at least 1,000. 0
 *   and `Infinity`: never.
 * @property {number} [connectTimeout] Timeout in milliseconds for the head of the response, default
 *   20,000. 0 and `Infinity`: never.
 * @property {boolean} [pauseWhenHidden] `true` if a hidden tab closes its stream until it is
 *   visible again. Default false.
 * @property {number} [maxEventBytes] Maximum length of an event in bytes, from 1, default 4 Mi. The
 *   client skips a longer event, and reports a gap and the error `too_large`. Only with `fetch`.
 * @property {"fetch" | "eventsource"} [transport] Default `fetch`. `eventsource` is the browser's
 *   own transport, without headers and statuses.
 * @property {readonly string[]} [types] With `eventsource`: event types to receive in addition to
 *   the standard types.
 * @property {boolean} [raw] `true` if messages keep their lines. Only with `fetch`.
 * @property {typeof globalThis.fetch} [fetch]
 * @property {string | null} [user] The app's own name for the signed-in user. Tabs share a stream
 *   only with the same name.
 * @property {boolean} [share] `true` if tabs share one stream. By default `true` if `user` is set
 *   and `query` is not a function.
 *   Tabs never share without the browser's support, with a `body`, or with a `method` other than
 *   `GET`.
 */

/**
 * @typedef {object} SSEInbox
 * @property {(text: string, type: string) => unknown} [parse] Default: JSON, or the text if the
 *   data is not JSON.
 * @property {number} [maxMessages] Maximum number of `messages`, default 100. Fractions are rounded
 *   down.
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
 * @property {string} [id] The event's own id.
 * @property {string} lastEventId The last event id of the stream at this event.
 * @property {string} [raw]
 * @property {number} timestamp
 */

/**
 * The receiver of a connection's reports.
 *
 * @typedef {object} Sink
 * @property {(change: Partial<SSESnapshot>) => void} change
 * @property {(event: Arrival) => void} event
 * @property {(error: import("./error.js").SSEError) => void} error
 */

/**
 * A source of events: a stream, or the tab that has the stream.
 *
 * @typedef {object} Source
 * @property {() => void} connect
 * @property {() => void} disconnect
 * @property {() => void} wake Ends the waiting, because the page woke or the network recovered.
 * @property {() => void} check Does what is due, because timers may have been suspended.
 * @property {() => void} suspend Releases everything until `wake`, because the page goes to sleep.
 * @property {() => boolean} [isWanted] Returns whether the source needs the reports of the page;
 *   by default its state decides.
 * @property {() => void} [stopAll] Ends the streams of all tabs.
 */

/**
 * The environment, which tests can replace.
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
 * @property {Pick<Storage, "getItem" | "setItem" | "removeItem">} [sessionStorage]
 * @property {Pick<Storage, "getItem" | "setItem" | "removeItem">} [localStorage]
 * @property {EventTarget} [window]
 * @property {EventTarget & { visibilityState?: string }} [document]
 * @property {() => boolean} isOnline
 * @property {string} base Base of relative addresses: that of the document, as for `fetch`.
 */

export {};
