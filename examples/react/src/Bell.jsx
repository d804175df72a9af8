import { useNotifications } from "sse-browser/react";

export function Bell({ stream }) {
  const { notifications, unread, dismiss, markRead } = useNotifications(stream);
  return (
    <section aria-label="Notifications">
      <h2>
        {unread} unread <button onClick={() => markRead()}>Mark all read</button>
      </h2>
      <ul>
        {notifications.map(({ id, type, title, message, isRead }) => (
          <li key={id} className={type}>
            {isRead ? null : "• "}
            {title ? <b>{title}: </b> : null}
            {message} <button onClick={() => dismiss(id)}>Dismiss</button>
          </li>
        ))}
      </ul>
    </section>
  );
}
