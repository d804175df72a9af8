// A list of notifications: received, read and dismissed.

import { limit } from "./limits.js";
import { call, createStore } from "./store.js";

/**
 * @typedef {import("./types.js").SSENotification
 *   & { id: string, isRead: boolean }} StoredNotification
 */

/**
 * @typedef {object} NotificationsSnapshot
 * @property {readonly StoredNotification[]} notifications Newest first.
 * @property {number} unread
 */

/**
 * @typedef {object} NotificationsOptions
 * @property {number} [maxNotifications] Maximum number, default 100; the oldest are removed first.
 * @property {(notification: StoredNotification) => void} [onNotification]
 */

const KINDS = ["info", "success", "warning", "error"];

/**
 * Returns a message's notification, if the message has one.
 *
 * @param {import("./types.js").SSEMessage} message
 * @returns {import("./types.js").SSENotification | undefined}
 */
export function toNotification({ type, data, timestamp }) {
  if (type !== "notification" || typeof data?.message !== "string") return undefined;
  return { ...data, type: KINDS.includes(data.type) ? data.type : "info", timestamp: data.timestamp ?? timestamp };
}

/**
 * Creates a list without a client: pass messages to `add`.
 *
 * @param {NotificationsOptions} [options]
 */
export function createNotificationList({ maxNotifications, onNotification } = {}) {
  const most = limit("maxNotifications", maxNotifications);
  /** @type {NotificationsSnapshot} */
  const none = { notifications: [], unread: 0 };
  const { getSnapshot, subscribe, set } = createStore(none);
  let count = 0;

  /** @param {readonly StoredNotification[]} notifications */
  const put = (notifications) => set({ notifications, unread: notifications.filter(({ isRead }) => !isRead).length });
  const all = () => getSnapshot().notifications;

  return {
    getSnapshot,
    subscribe,
    /**
     * Adds a message, if it is a notification.
     *
     * @param {import("./types.js").SSEMessage} message
     */
    add: (message) => {
      const notification = toNotification(message);
      if (!notification) return;
      const stored = { ...notification, id: `n${++count}`, isRead: false };
      put([stored, ...all()].slice(0, most));
      call(onNotification, stored);
    },
    /** Removes a notification. @param {string} id */
    dismiss: (id) => put(all().filter((one) => one.id !== id)),
    dismissAll: () => put([]),
    /** Marks a notification, or all of them, as read. @param {string} [id] */
    markRead: (id) => put(all().map((one) => (id === undefined || one.id === id ? { ...one, isRead: true } : one))),
  };
}

/**
 * Creates a list that collects the notifications of a client until `stop`.
 *
 * @param {Pick<import("./client.js").SSEClient, "on">} client
 * @param {NotificationsOptions} [options]
 */
export function createNotifications(client, options) {
  const list = createNotificationList(options);
  return { ...list, stop: client.on("notification", list.add) };
}
