export const useSSE: <Events extends object = import("./types.js").SSEEvents>(options?: import("./hooks.js").HookOptions) => import("./hooks.js").UseSSE<Events>;
export const useNotifications: <Events extends object = import("./types.js").SSEEvents>(options?: import("./hooks.js").HookOptions & import("./notifications.js").NotificationsOptions) => {
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
export type HookOptions = import("./hooks.js").HookOptions;
export type UseSSE<Events = import("./types.js").SSEEvents> = import("./hooks.js").UseSSE<Events>;
