/**
 * Creates the hooks for a copy of React.
 *
 * @param {ReactHooks} React
 */
export function createHooks({ useCallback, useEffect, useMemo, useRef, useSyncExternalStore }: ReactHooks): {
    useSSE: <Events extends object = import("./types.js").SSEEvents>(options?: HookOptions) => UseSSE<Events>;
    useNotifications: <Events extends object = import("./types.js").SSEEvents>(options?: HookOptions & import("./notifications.js").NotificationsOptions) => {
        notifications: readonly import("./notifications.js").StoredNotification[];
        unread: number;
        dismiss: (id: string) => void;
        dismissAll: () => void;
        markRead: (id?: string) => void;
        /**
         * The reason why the stream is not open.
         */
        error: import("./error.js").SSEError | null;
        state: import("./types.js").SSEState;
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
         * The latest message. Several can arrive at
         * once, so `lastMessage` does not show all of them: `onMessage` and `on` do.
         */
        lastMessage: import("./types.js").SSEMessageOf<Events> | null;
        /**
         * The last `maxMessages`, oldest first,
         * without heartbeats.
         */
        messages: readonly import("./types.js").SSEMessageOf<Events>[];
        isConnected: boolean;
        /**
         * `true` while a stream is being opened, or will be retried. If
         * neither `isConnected` nor `isConnecting` is set, the stream has ended until `connect`.
         */
        isConnecting: boolean;
        connect: () => void;
        /**
         * Disconnects this component; with
         * `everywhere` all components and tabs that share the stream, to log out.
         */
        disconnect: (how?: {
            everywhere?: boolean;
        } | undefined) => void;
        /**
         * Listens to events of a type, `*` for all, from
         * an effect: `useEffect(() => on("order", show), [on])`. Every event reaches the listener.
         */
        on: import("./types.js").SSEOn<Events>;
        clearMessages: () => void;
    };
};
export type UseSSEOptions = {
    /**
     * `true` (default) to connect when the component mounts; `false` to
     * wait for `connect`.
     */
    enabled?: boolean | undefined;
    /**
     * A client of the app's own. The app connects
     * and disconnects it. Of the other options only the callbacks and `maxMessages` apply.
     */
    client?: import("./client.js").SSEClient<import("./types.js").SSEEvents> | undefined;
};
/**
 * The result of `useSSE`: the parts of the client and of its snapshot that a component can use.
 * `lastEventId` is not among them, since a change of it shows nothing.
 */
export type UseSSE<Events = import("./types.js").SSEEvents> = Omit<import("./types.js").SSESnapshot<Events>, "lastEventId"> & UseSSEMembers<Events>;
export type UseSSEMembers<Events = import("./types.js").SSEEvents> = {
    isConnected: boolean;
    /**
     * `true` while a stream is being opened, or will be retried. If
     * neither `isConnected` nor `isConnecting` is set, the stream has ended until `connect`.
     */
    isConnecting: boolean;
    connect: () => void;
    /**
     * Disconnects this component; with
     * `everywhere` all components and tabs that share the stream, to log out.
     */
    disconnect: (how?: {
        everywhere?: boolean;
    }) => void;
    /**
     * Listens to events of a type, `*` for all, from
     * an effect: `useEffect(() => on("order", show), [on])`. Every event reaches the listener.
     */
    on: import("./types.js").SSEOn<Events>;
    clearMessages: () => void;
};
/**
 * The parts of React that the hooks use.
 */
export type ReactHooks = Pick<typeof import("react"), "useCallback" | "useEffect" | "useMemo" | "useRef" | "useSyncExternalStore">;
/**
 * The options of the hooks. `signal` disconnects the component; the stream ends with its last
 * component.
 */
export type HookOptions = import("./types.js").SSEOptions & UseSSEOptions;
/**
 * A stream that components share.
 */
export type Held = {
    client: import("./client.js").SSEClient;
    /**
     * `true` if the client was created here and ends with its last
     * component.
     */
    isOurs: boolean;
    /**
     * The options of the component that rendered last, so that their
     * functions are current.
     */
    latest: HookOptions;
    holders: Set<object>;
    ending?: any;
};
