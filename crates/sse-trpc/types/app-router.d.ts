// Made from the Rust definitions of sse-trpc by `cargo test -p sse-trpc`; do not edit.
//
// Types of the management API for @trpc/client and @trpc/react-query, version 11:
//
//     import type { AppRouter } from "./app-router";
//     const api = createTRPCClient<AppRouter>({ links: [httpBatchLink({ url: "/api/trpc" })] });
//
// `AppRouter<true>` where the server speaks superjson. An app with procedures of its own adds them
// to `SseProcedures`.

import type {
  TRPCBuiltRouter,
  TRPCDefaultErrorShape,
  TRPCMutationProcedure,
  TRPCQueryProcedure,
  TRPCSubscriptionProcedure,
} from "@trpc/server";

export type NotificationType = "info" | "success" | "warning" | "error";

export type Target = "all" | { user: string } | { client: string } | { topic: string };

export type SseCounters = { bytes: number, connected: number, delivered: number, disconnected: { client_left: number, expired: number, kicked: number, max_age: number, overflow: number, replaced: number, shutdown: number, stalled: number }, dropped: number, heartbeats: number, published: number, queued: number, refused: { address_limit: number, cross_site: number, draining: number, forbidden: number, full: number, headers_only: number, invalid: number, method: number, rate_limit: number, starting: number, stay_away: number, too_many_dialects: number, unauthenticated: number, unavailable: number, user_limit: number } };

export type SseGaps = { damaged: number, epoch: number, future: number, invalid: number, overflow: number, trimmed: number };

/** An event of a subscription: its type, or `message` if it has none, and its data. */
export type SseEvent = { type: string; data: unknown };

/** An event with an id, from which the client resumes after a lost connection. */
export type TrackedSseEvent = { id: string; data: SseEvent };

export type SseLog = { backplane: string, state: "starting" | "current" | "away" | "rejecting" | "not_listening", 
/**
 * Id of the latest event.
 */
head: string, 
/**
 * Id after which all events are held.
 */
trimmed: string, lagMs: number, entries: number, bytes: number, resumed: number, replayed: number, gaps: SseGaps, duplicates: number, unreadable: number, damaged: number, reconnects: number, reads: number, appends: number, appendFailures: number, appendMs: number, };

export type SseNode = { node: string, 
/**
 * Name of the node, if it has one.
 */
name?: string, connections: number, uniqueUsers: number, 
/**
 * Age of the node's numbers, in milliseconds.
 */
ageMs: number, };

export type StatsInput = { byUser?: boolean | null, limit?: number | null, };

export type SseStats = { totalConnections: number, uniqueUsers: number, 
/**
 * Number of streams of each user; absent if `byUser` is false.
 */
connectionsByUser?: { [key in string]: number }, 
/**
 * Number of ending streams. In a cluster, this number and the counters are those of the node
 * that answers, and the numbers above are of all nodes.
 */
ending: number, 
/**
 * State of the event log; absent without one.
 */
log?: SseLog, 
/**
 * The node that answers; only in a cluster, as `nodes`, `ageMs` and `incomplete`.
 */
node?: string, 
/**
 * All nodes that are connected.
 */
nodes?: Array<SseNode>, 
/**
 * Age of the oldest numbers in the output, in milliseconds.
 */
ageMs?: number, 
/**
 * Nodes whose numbers are not completely known; only if some are not, or the list of nodes is
 * unknown.
 */
incomplete?: Array<string>, } & SseCounters;

export type Connection = { clientId: string, userId: string | null, 
/**
 * Identifies the sign-in: the same for all streams of one browser. `null` if authentication
 * does not provide it.
 */
loginId: string | null, topics: Array<string>, connectedAt: number, waiting: number, delivered: number, 
/**
 * Node of the stream; only in a cluster.
 */
node?: string, };

export type ConnectionsInput = { 
/**
 * `nextCursor` of the previous page.
 */
cursor?: number | string | null, limit?: number | null, userId?: string, topic?: string, 
/**
 * The direction that `useInfiniteQuery` adds to every input; pages are turned forward only.
 */
direction?: "forward" | "backward", };

export type ConnectionPage = { items: Array<Connection>, nextCursor: number | string | null, 
/**
 * Nodes of the cluster that did not answer in time; only if some did not, or the list of nodes
 * is unknown.
 */
incomplete?: Array<string>, };

export type SendInput = { message: string, title?: string | null, data?: Record<string, unknown>, timestamp?: number | null, 
/**
 * Id of the user; default: the caller.
 */
userId?: string, };

export type Done = { 
/**
 * Number of streams that the mutation reached. A publish counts those of the node that
 * answers, so zero does not mean that nobody is connected.
 */
matched: number, 
/**
 * Id of the event; only with an event log.
 */
id?: string, 
/**
 * Set if the event had already been published under its key. `id` is that of the earlier
 * event, and nothing was sent now.
 */
duplicate?: true, 
/**
 * Nodes of the cluster that did not answer in time; only if some did not, or the list of nodes
 * is unknown.
 */
incomplete?: Array<string>, };

export type SendNotificationInput = { userId: string, type?: NotificationType, title?: string | null, message: string, data?: Record<string, unknown>, timestamp?: number | null, };

export type BroadcastNotificationInput = { type?: NotificationType, title?: string | null, message: string, data?: Record<string, unknown>, timestamp?: number | null, };

export type SendSystemEventInput = { userId: string, event: string, data?: unknown, };

export type BroadcastSystemEventInput = { event: string, data?: unknown, };

export type PublishInput = { target: Target, except?: Array<string>, event: string, 
/**
 * Data of the event, passed on as text: numbers keep their digits and members their order.
 */
data: unknown, 
/**
 * Set for an event that is kept out of the event log and reaches only the streams that are
 * connected now.
 */
ephemeral?: boolean | null, 
/**
 * Key of the publish; needs an event log. Of several publishes of one caller with one key
 * within two minutes, the first counts.
 */
key?: string | null, 
/**
 * Time during which the publish is retried while the event log is unavailable, in
 * milliseconds, up to 30,000; without it the call fails at once.
 */
retryForMs?: number | null, };

export type MembershipInput = { clientId: string, topics: Array<string>, };

export type TicketInput = { 
/**
 * Id of the user, if a manager requests a ticket for another user.
 */
userId?: string, 
/**
 * Claims of that user.
 */
claims?: Record<string, unknown>, };

export type Ticket = { 
/**
 * Text for the query of a stream's URL.
 */
ticket: string, 
/**
 * Time during which the ticket can be used, in milliseconds.
 */
expiresInMs: number, };

export type RenewInput = { clientId: string, 
/**
 * The new token. Without it, the credentials of the call itself count, such as a cookie.
 */
token?: string | null, };

export type DisconnectInput = { target: Target, reason?: string | null, stayAwayMs?: number | null, };

export type EventsInput = { topics?: Array<string>, };

export type SseProcedures = {
  sse: {
    getStats: TRPCQueryProcedure<{ input: StatsInput | void; output: SseStats; meta: object }>;
    getConnections: TRPCQueryProcedure<{ input: ConnectionsInput | void; output: ConnectionPage; meta: object }>;
    sendSuccess: TRPCMutationProcedure<{ input: SendInput; output: Done; meta: object }>;
    sendInfo: TRPCMutationProcedure<{ input: SendInput; output: Done; meta: object }>;
    sendWarning: TRPCMutationProcedure<{ input: SendInput; output: Done; meta: object }>;
    sendError: TRPCMutationProcedure<{ input: SendInput; output: Done; meta: object }>;
    sendNotification: TRPCMutationProcedure<{ input: SendNotificationInput; output: Done; meta: object }>;
    broadcastNotification: TRPCMutationProcedure<{ input: BroadcastNotificationInput; output: Done; meta: object }>;
    sendSystemEvent: TRPCMutationProcedure<{ input: SendSystemEventInput; output: Done; meta: object }>;
    broadcastSystemEvent: TRPCMutationProcedure<{ input: BroadcastSystemEventInput; output: Done; meta: object }>;
    publish: TRPCMutationProcedure<{ input: PublishInput; output: Done; meta: object }>;
    join: TRPCMutationProcedure<{ input: MembershipInput; output: Done; meta: object }>;
    leave: TRPCMutationProcedure<{ input: MembershipInput; output: Done; meta: object }>;
    createTicket: TRPCMutationProcedure<{ input: TicketInput | void; output: Ticket; meta: object }>;
    renew: TRPCMutationProcedure<{ input: RenewInput; output: Done; meta: object }>;
    disconnect: TRPCMutationProcedure<{ input: DisconnectInput; output: Done; meta: object }>;
    events: TRPCSubscriptionProcedure<{ input: (EventsInput & { lastEventId?: string | null }) | void; output: AsyncIterable<SseEvent | TrackedSseEvent>; meta: object }>;
  };
};

export type AppRoot<SuperJson extends boolean = false> = {
  ctx: object;
  meta: object;
  errorShape: TRPCDefaultErrorShape;
  transformer: SuperJson;
};

export type AppRouter<SuperJson extends boolean = false> = TRPCBuiltRouter<AppRoot<SuperJson>, SseProcedures>;
