/**
 * Returns a message's notification, if the message has one.
 *
 * @param {import("./types.js").SSEMessage} message
 * @returns {import("./types.js").SSENotification | undefined}
 */
export function toNotification({ type, data, timestamp }: import("./types.js").SSEMessage): import("./types.js").SSENotification | undefined;
/**
 * Creates a list without a client: pass messages to `add`.
 *
 * @param {NotificationsOptions} [options]
 */
export function createNotificationList({ maxNotifications, onNotification }?: NotificationsOptions): {
    getSnapshot: () => NotificationsSnapshot;
    subscribe: (listener: (value: NotificationsSnapshot) => void) => () => void;
    /**
     * Adds a message, if it is a notification.
     *
     * @param {import("./types.js").SSEMessage} message
     */
    add: (message: import("./types.js").SSEMessage) => void;
    /** Removes a notification. @param {string} id */
    dismiss: (id: string) => void;
    dismissAll: () => void;
    /** Marks a notification, or all of them, as read. @param {string} [id] */
    markRead: (id?: string) => void;
};
/**
 * Creates a list that collects the notifications of a client until `stop`.
 *
 * @param {Pick<import("./client.js").SSEClient, "on">} client
 * @param {NotificationsOptions} [options]
 */
export function createNotifications(client: Pick<import("./client.js").SSEClient, "on">, options?: NotificationsOptions): {
    stop: () => void;
    getSnapshot: () => NotificationsSnapshot;
    subscribe: (listener: (value: NotificationsSnapshot) => void) => () => void;
    /**
     * Adds a message, if it is a notification.
     *
     * @param {import("./types.js").SSEMessage} message
     */
    add: (message: import("./types.js").SSEMessage) => void;
    /** Removes a notification. @param {string} id */
    dismiss: (id: string) => void;
    dismissAll: () => void;
    /** Marks a notification, or all of them, as read. @param {string} [id] */
    markRead: (id?: string) => void;
};
export type StoredNotification = import("./types.js").SSENotification & {
    id: string;
    isRead: boolean;
};
export type NotificationsSnapshot = {
    /**
     * Newest first.
     */
    notifications: readonly StoredNotification[];
    unread: number;
};
export type NotificationsOptions = {
    /**
     * Maximum number, default 100; the oldest are removed first.
     */
    maxNotifications?: number | undefined;
    onNotification?: ((notification: StoredNotification) => void) | undefined;
};
