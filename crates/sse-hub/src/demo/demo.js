// The demo page: its parts, put together.

import { toNotification } from "/sse/notifications.js";
import * as api from "./api.js";
import { startConnection } from "./connection.js";
import { $, say } from "./dom.js";
import { startHistory } from "./history.js";
import { startOverview } from "./overview.js";
import { startPeople } from "./people.js";
import { startSender } from "./sender.js";
import { startStatistics } from "./statistics.js";
import { startToasts } from "./toasts.js";

const complain = (text) => {
  say("error-text", text);
  $("error").hidden = false;
};
const settle = () => { $("error").hidden = true; };
$("error-dismiss").addEventListener("click", settle);

const statistics = startStatistics();
const messages = startHistory();
const toasts = startToasts();

const onMessage = (message) => {
  const sent = message.data?.timestamp ?? sender?.sentAt(message);
  const latency = typeof sent === "number" ? Math.max(0, message.timestamp - sent) : undefined;
  // The greeting is excluded, since it was in flight while the page was still loading.
  if (latency !== undefined && message.type !== "connection") statistics.latency(latency);
  messages.add(message, latency);
  const notification = toNotification(message);
  if (notification) toasts.show(notification);
};

let overview, sender;
const refresh = () => overview?.refresh();

const connection = startConnection({ onMessage, onGreeted: refresh, onCaller: () => overview?.restart(), complain, settle, api });
const people = startPeople(api, { ...connection, complain, refresh });
sender = startSender(api, { ...connection, complain, settle, sent: refresh });
overview = startOverview(api, (found) => {
  statistics.show(found?.stats);
  people.show(found);
});
