/**
 * An event as an app receives it.
 */
export type SSEMessage<Data = any, Type extends string = string> = {
    /**
     * The event's type; `message` if the event has no type.
     */
    type: Type;
    /**
     * The result of `parse`: by default the JSON value, or the text if the data
     * is not JSON.
     */
    data: Data;
    /**
     * The event's own id.
     */
    id?: string | undefined;
    /**
     * Time of arrival in this browser, in Unix milliseconds.
     */
    timestamp: number;
    /**
     * The event's lines as received; only with the option `raw`.
     */
    raw?: string | undefined;
};
/**
 * The data of a `notification` event.
 */
export type SSENotification = {
    type: "info" | "success" | "warning" | "error";
    title?: string | undefined;
    message: string;
    data?: Record<string, any> | undefined;
    /**
     * In Unix milliseconds.
     */
    timestamp: number;
};
/**
 * The data of a `system` event.
 */
export type SSESystemEvent = {
    event: string;
    data?: any;
    /**
     * In Unix milliseconds.
     */
    timestamp: number;
};
/**
 * The data of each type of event that an app expects, by the type. Without it, data is `any`.
 */
export type SSEEvents = Record<string, any>;
/**
 * The events of an app and of the server, with the data of each type.
 */
export type SSEEventsOf<Events> = Events & Omit<{
    notification: SSENotification;
    system: SSESystemEvent;
}, keyof Events>;
/**
 * The types of these events.
 */
export type SSETypeOf<Events> = keyof SSEEventsOf<Events> & string;
/**
 * A message of any of the types: `type` tells which, and with it the type of `data`.
 */
export type SSEMessageOf<Events = SSEEvents> = { [Type in SSETypeOf<Events>]: SSEMessage<SSEEventsOf<Events>[Type], Type>; }[SSETypeOf<Events>];
/**
 * Listens to one type of event, or to all with `*`.
 */
export type SSEOn<Events = SSEEvents> = <Type extends SSETypeOf<Events> | "*">(type: Type, listener: (message: Type extends SSETypeOf<Events> ? SSEMessage<SSEEventsOf<Events>[Type], Type> : SSEMessageOf<Events>) => void) => () => void;
/**
 * A range of events that this client will never receive.
 */
export type SSEGap = {
    /**
     * From the server: `overflow`, `trimmed`, `epoch`, `invalid`, `future`,
     * `damaged`. From the client: `too_large` for an event of more than `maxEventBytes`, `parse` for
     * an event for which `parse` threw, `unknown` if the server names no reason.
     */
    reason: string;
    /**
     * Number of lost events, if known.
     */
    dropped?: number | null | undefined;
    /**
     * The id after which events are missing, if known.
     */
    from?: string | null | undefined;
    /**
     * The id up to which events are missing, if known.
     */
    to?: string | null | undefined;
};
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
 */
export type SSEState = "idle" | "connecting" | "open" | "waiting" | "closed" | "failed";
/**
 * The state of a client at one moment. A snapshot is immutable: each change creates a new snapshot.
 */
export type SSESnapshot<Events = SSEEvents> = {
    state: SSEState;
    /**
     * The role of this tab: `leader` has the stream
     * and shares it with the followers, `alone` does not share.
     */
    role: "alone" | "leader" | "follower";
    /**
     * The server's id of this stream.
     */
    clientId: string | null;
    /**
     * The user that the server has recognised.
     */
    userId: string | null;
    /**
     * Failures in a row so far.
     */
    attempt: number;
    /**
     * Time of the next attempt, in Unix milliseconds.
     */
    nextRetryAt: number | null;
    /**
     * The id from which the client would resume; empty if it has none.
     */
    lastEventId: string;
    /**
     * The reason why the stream is not open.
     */
    error: import("./error.js").SSEError | null;
    /**
     * The latest message. Several can arrive at
     * once, so `lastMessage` does not show all of them: `onMessage` and `on` do.
     */
    lastMessage: SSEMessageOf<Events> | null;
    /**
     * The last `maxMessages`, oldest first,
     * without heartbeats.
     */
    messages: readonly SSEMessageOf<Events>[];
};
export type SSECallbacks = {
    /**
     * Called when the stream opens, for the first time or again.
     */
    onConnect?: (() => void) | undefined;
    /**
     * Called when the stream is lost or closed.
     */
    onDisconnect?: (() => void) | undefined;
    /**
     * Called when an attempt or a
     * stream fails, or an event is skipped; `error.retryable` says whether the client goes on.
     */
    onError?: ((error: import("./error.js").SSEError) => void) | undefined;
    /**
     * Called for every event, including
     * heartbeats and `connection`.
     */
    onMessage?: ((message: SSEMessage) => void) | undefined;
    /**
     * Called when events were lost for good: reload the state
     * from elsewhere.
     */
    onGap?: ((gap: SSEGap) => void) | undefined;
};
/**
 * A value, or a function that returns the value
 *   for each attempt.
 */
export type PerAttempt<T> = T | (() => T | Promise<T>);
export type SSEBackoff = {
    /**
     * From 1, default 2. With `Infinity` every delay but the first is the
     * longest.
     */
    factor?: number | undefined;
    /**
     * The longest delay in milliseconds, default 30,000. At least 100, at most
     * an hour, also with `Infinity`.
     */
    max?: number | undefined;
    /**
     * `full` (default): a random time up to the delay, so that
     * many clients do not return at once.
     */
    jitter?: "none" | "full" | undefined;
};
/**
 * The options of a connection.
 *
 * Every option that is a number accepts numbers from 0, fractions and `Infinity`, unless its
 * description says more. `createSSE` and the hooks throw a `TypeError` for a value that is not a
 * number, also for `null` and texts, and a `RangeError` for `NaN` and for a number that is too
 * small. Numbers of servers never throw: an invalid one is ignored, an extreme one is clamped.
 */
export type SSESource = {
    /**
     * Default `/api/sse`.
     */
    url?: string | undefined;
    /**
     * Requested topics, sent as `topics=a,b`, or each as
     * `topic=a` if one contains a comma or begins or ends with a space.
     */
    topics?: readonly string[] | undefined;
    /**
     * `true` (default) if the client reconnects.
     */
    reconnect?: boolean | undefined;
    /**
     * The first delay in milliseconds, default 3,000, until the
     * server sets another by `retry:`. At least 100, also with 0. With `Infinity` the client never
     * reconnects, as with `reconnect: false`.
     */
    reconnectInterval?: number | undefined;
    /**
     * Maximum number of retries in a row, default 5. If the
     * last of them fails, the client stops retrying until the page wakes or `connect` is called. With
     * `Infinity` it never stops. Failures while the browser is offline do not count. Fractions are
     * rounded down.
     */
    maxReconnectAttempts?: number | undefined;
    backoff?: SSEBackoff | undefined;
    headers?: PerAttempt<HeadersInit> | undefined;
    query?: PerAttempt<Record<string, string> | Iterable<[string, string]>> | undefined;
    /**
     * A one-time ticket, sent as `ticket`.
     */
    ticket?: PerAttempt<string> | undefined;
    /**
     * Default `GET`. The servers of this project stream only to `GET`, and
     * refuse other methods with 405. `method` and `body` are for other servers, such as those of
     * language models.
     */
    method?: string | undefined;
    /**
     * The body of a request with another method.
     */
    body?: PerAttempt<BodyInit | null> | undefined;
    /**
     * Default `same-origin`.
     */
    credentials?: RequestCredentials | undefined;
    /**
     * Called and awaited when the server refuses the
     * credentials twice in a row, by `auth_expired` or 401: renew the token here. After the first
     * refusal the client retries with what the browser sends then, because the page can have renewed
     * its cookie. After this function the client retries once more. If the function returns `false`
     * or throws, the client fails.
     */
    onUnauthorized?: (() => unknown) | undefined;
    /**
     * The id from which to resume.
     */
    lastEventId?: string | undefined;
    /**
     * Storage in which the last id outlives the page; by default none.
     */
    storage?: "session" | Pick<Storage, "getItem" | "removeItem" | "setItem"> | "local" | undefined;
    /**
     * Silence in milliseconds after which the stream counts as
     * dead; by default two and a half times the interval that the server announces, at least 1,000. 0
     * and `Infinity`: never.
     */
    heartbeatTimeout?: number | undefined;
    /**
     * Timeout in milliseconds for the head of the response, default
     * 20,000. 0 and `Infinity`: never.
     */
    connectTimeout?: number | undefined;
    /**
     * `true` if a hidden tab closes its stream until it is
     * visible again. Default false.
     */
    pauseWhenHidden?: boolean | undefined;
    /**
     * Maximum length of an event in bytes, from 1, default 4 Mi. The
     * client skips a longer event, and reports a gap and the error `too_large`. Only with `fetch`.
     */
    maxEventBytes?: number | undefined;
    /**
     * Default `fetch`. `eventsource` is the browser's
     * own transport, without headers and statuses.
     */
    transport?: "fetch" | "eventsource" | undefined;
    /**
     * With `eventsource`: event types to receive in addition to
     * the standard types.
     */
    types?: readonly string[] | undefined;
    /**
     * `true` if messages keep their lines. Only with `fetch`.
     */
    raw?: boolean | undefined;
    fetch?: typeof fetch | undefined;
    /**
     * The app's own name for the signed-in user. Tabs share a stream
     * only with the same name.
     */
    user?: string | null | undefined;
    /**
     * `true` if tabs share one stream. By default `true` if `user` is set
     * and `query` is not a function.
     * Tabs never share without the browser's support, with a `body`, or with a `method` other than
     * `GET`.
     */
    share?: boolean | undefined;
};
export type SSEInbox = {
    /**
     * Default: JSON, or the text if the
     * data is not JSON.
     */
    parse?: ((text: string, type: string) => unknown) | undefined;
    /**
     * Maximum number of `messages`, default 100. Fractions are rounded
     * down.
     */
    maxMessages?: number | undefined;
};
export type SSEOptions = SSESource & SSEInbox & SSECallbacks & {
    signal?: AbortSignal;
};
/**
 * An event on its way from the stream to a tab.
 */
export type Arrival = {
    type: string;
    text: string;
    /**
     * The event's own id.
     */
    id?: string | undefined;
    /**
     * The last event id of the stream at this event.
     */
    lastEventId: string;
    raw?: string | undefined;
    timestamp: number;
};
/**
 * The receiver of a connection's reports.
 */
export type Sink = {
    change: (change: Partial<SSESnapshot>) => void;
    event: (event: Arrival) => void;
    error: (error: import("./error.js").SSEError) => void;
};
/**
 * A source of events: a stream, or the tab that has the stream.
 */
export type Source = {
    connect: () => void;
    disconnect: () => void;
    /**
     * Ends the waiting, because the page woke or the network recovered.
     */
    wake: () => void;
    /**
     * Does what is due, because timers may have been suspended.
     */
    check: () => void;
    /**
     * Releases everything until `wake`, because the page goes to sleep.
     */
    suspend: () => void;
    /**
     * Returns whether the source needs the reports of the page;
     * by default its state decides.
     */
    isWanted?: (() => boolean) | undefined;
    /**
     * Ends the streams of all tabs.
     */
    stopAll?: (() => void) | undefined;
};
/**
 * The environment, which tests can replace.
 */
export type World = {
    now: () => number;
    random: () => number;
    setTimeout: (run: () => void, delay: number) => any;
    clearTimeout: (timer: any) => void;
    fetch?: typeof fetch | undefined;
    EventSource?: {
        new (url: string | URL, eventSourceInitDict?: EventSourceInit): EventSource;
        prototype: EventSource;
        readonly CONNECTING: 0;
        readonly OPEN: 1;
        readonly CLOSED: 2;
    } | undefined;
    BroadcastChannel?: {
        new (name: string): BroadcastChannel;
        prototype: BroadcastChannel;
    } | undefined;
    locks?: Pick<LockManager, "request"> | undefined;
    sessionStorage?: Pick<Storage, "getItem" | "removeItem" | "setItem"> | undefined;
    localStorage?: Pick<Storage, "getItem" | "removeItem" | "setItem"> | undefined;
    window?: EventTarget | undefined;
    document?: (EventTarget & {
        visibilityState?: string;
    }) | undefined;
    isOnline: () => boolean;
    /**
     * Base of relative addresses: that of the document, as for `fetch`.
     */
    base: string;
};
