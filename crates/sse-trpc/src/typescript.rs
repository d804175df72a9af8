//! The types of the API for TypeScript, generated from the Rust definitions and compared with the
//! shipped file.

use std::{fmt::Write as _, fs, future::Future, path::Path};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sse_core::{Handshake, Manager, Retention, Target};
use sse_notify::Kind as NotificationKind;
use ts_rs::{Config, TS};

use crate::{
    context::Context,
    error::Error,
    procedure::ProcedureKind,
    procedures::{
        self, Done, connections, disconnect, events, membership, notify, publish, renew, stats,
        system, ticket,
    },
};

const HEADER: &str = r#"// Made from the Rust definitions of sse-trpc by `cargo test -p sse-trpc`; do not edit.
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

"#;

const EVENTS: &str = r#"/** An event of a subscription: its type, or `message` if it has none, and its data. */
export type SseEvent = { type: string; data: unknown };

/** An event with an id, from which the client resumes after a lost connection. */
export type TrackedSseEvent = { id: string; data: SseEvent };

"#;

const FOOTER: &str = r"
export type AppRoot<SuperJson extends boolean = false> = {
  ctx: object;
  meta: object;
  errorShape: TRPCDefaultErrorShape;
  transformer: SuperJson;
};

export type AppRouter<SuperJson extends boolean = false> = TRPCBuiltRouter<AppRoot<SuperJson>, SseProcedures>;
";

/// Returns the types that are not an input or an output themselves.
fn other_types() -> String {
    let kinds = [
        NotificationKind::Info,
        NotificationKind::Success,
        NotificationKind::Warning,
        NotificationKind::Error,
    ];
    let kinds = kinds.map(|kind| json!(kind).to_string()).join(" | ");
    let targets = [
        Target::All,
        Target::User("".try_into().unwrap_or_else(|_| "x".try_into().unwrap())),
        Target::Client("0".repeat(32).parse().unwrap()),
        Target::Topic("x".try_into().unwrap()),
    ];
    let targets = targets.map(|target| literal(&json!(target))).join(" | ");
    let manager = Manager::builder()
        .log(Retention::default())
        .build()
        .unwrap();
    let counters = literal(&json!(manager.stats().counters));
    let gaps = literal(&json!(manager.log_stats().unwrap().gaps));
    let types = [
        ("NotificationType", kinds),
        ("Target", targets),
        ("SseCounters", counters),
        ("SseGaps", gaps),
    ];
    types
        .map(|(name, form)| format!("export type {name} = {form};\n\n"))
        .concat()
}

/// Returns the type of a value that represents all values of its kind.
fn literal(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| format!("{name}: {}", member(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

fn member(value: &Value) -> String {
    match value {
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        value => literal(value),
    }
}

/// The form of a listed stream on the wire.
#[derive(TS, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its form is used")]
struct Connection {
    client_id: String,
    user_id: Option<String>,
    /// Identifies the sign-in: the same for all streams of one browser. `null` if authentication
    /// does not provide it.
    login_id: Option<String>,
    topics: Vec<String>,
    connected_at: u64,
    waiting: usize,
    delivered: u64,
    /// Node of the stream; only in a cluster.
    #[ts(optional)]
    node: Option<String>,
}

/// The form of a page of listed streams on the wire.
#[derive(TS, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its form is used")]
struct ConnectionPage {
    items: Vec<Connection>,
    #[ts(type = "number | string | null")]
    next_cursor: Value,
    /// Nodes of the cluster that did not answer in time; only if some did not, or the list of nodes
    /// is unknown.
    #[ts(optional)]
    incomplete: Option<Vec<String>>,
}

#[test]
fn listings_look_as_they_are_described() {
    let manager = Manager::builder().build().unwrap();
    let _streams = ["ada", "bob"].map(|user| manager.connect(Handshake::new().user(user)).unwrap());
    let page = manager.connections(&sse_core::connections::ConnectionQuery::first(1));
    serde_json::from_value::<ConnectionPage>(json!(page)).unwrap();
}

/// The line of a procedure in the router.
struct RouterLine {
    name: &'static str,
    kind: ProcedureKind,
    input: String,
    output: String,
}

impl RouterLine {
    fn line(&self) -> String {
        let Self {
            name,
            kind,
            input,
            output,
        } = self;
        let procedure = match kind {
            ProcedureKind::Query => "TRPCQueryProcedure",
            ProcedureKind::Mutation => "TRPCMutationProcedure",
            ProcedureKind::Subscription => "TRPCSubscriptionProcedure",
        };
        format!("    {name}: {procedure}<{{ input: {input}; output: {output}; meta: object }}>;\n")
    }
}

/// A collection of the types of procedures.
struct Types {
    config: Config,
    declarations: Vec<String>,
    entries: Vec<RouterLine>,
}

impl Types {
    fn declare<T: TS + 'static>(&mut self) -> String {
        let declaration = format!("export {}", T::decl(&self.config));
        if !self.declarations.contains(&declaration) {
            self.declarations.push(declaration);
        }
        T::name(&self.config)
    }

    /// Adds an input. An input without required fields can be omitted altogether.
    fn input<I: TS + DeserializeOwned + 'static>(&mut self) -> String {
        let name = self.declare::<I>();
        if serde_json::from_str::<I>("{}").is_ok() {
            format!("{name} | void")
        } else {
            name
        }
    }

    /// Adds a handler, as it is registered in the list of procedures.
    fn call<I, O, F>(
        &mut self,
        name: &'static str,
        kind: ProcedureKind,
        _: impl Fn(Context, I) -> F,
    ) where
        I: TS + DeserializeOwned + 'static,
        O: TS + Serialize + 'static,
        F: Future<Output = Result<O, Error>>,
    {
        let (input, output) = (self.input::<I>(), self.declare::<O>());
        self.entries.push(RouterLine {
            name,
            kind,
            input,
            output,
        });
    }
}

fn described() -> Types {
    let config = Config::new().with_large_int("number");
    let mut types = Types {
        config,
        declarations: Vec::new(),
        entries: Vec::new(),
    };
    types.declare::<stats::LogNumbers>();
    types.declare::<stats::Node>();
    types.call("getStats", ProcedureKind::Query, stats::get);
    types.declare::<Connection>();
    let (input, output) = (
        types.input::<connections::Input>(),
        types.declare::<ConnectionPage>(),
    );
    types.entries.push(RouterLine {
        name: "getConnections",
        kind: ProcedureKind::Query,
        input,
        output,
    });
    for name in ["sendSuccess", "sendInfo", "sendWarning", "sendError"] {
        let (input, output) = (types.input::<notify::Send>(), types.declare::<Done>());
        types.entries.push(RouterLine {
            name,
            kind: ProcedureKind::Mutation,
            input,
            output,
        });
    }
    types.call(
        "sendNotification",
        ProcedureKind::Mutation,
        notify::send_notification,
    );
    types.call(
        "broadcastNotification",
        ProcedureKind::Mutation,
        notify::broadcast,
    );
    types.call("sendSystemEvent", ProcedureKind::Mutation, system::send);
    types.call(
        "broadcastSystemEvent",
        ProcedureKind::Mutation,
        system::broadcast,
    );
    types.call("publish", ProcedureKind::Mutation, publish::publish);
    types.call("join", ProcedureKind::Mutation, membership::join);
    types.call("leave", ProcedureKind::Mutation, membership::leave);
    types.call("createTicket", ProcedureKind::Mutation, ticket::create);
    types.call("renew", ProcedureKind::Mutation, renew::renew);
    types.call(
        "disconnect",
        ProcedureKind::Mutation,
        disconnect::disconnect,
    );
    let input = types.input::<events::Input>().replace(
        "EventsInput",
        "(EventsInput & { lastEventId?: string | null })",
    );
    let output = "AsyncIterable<SseEvent | TrackedSseEvent>".into();
    types.entries.push(RouterLine {
        name: "events",
        kind: ProcedureKind::Subscription,
        input,
        output,
    });
    types
}

fn document() -> String {
    let types = described();
    let mut text = HEADER.to_owned() + &other_types();
    text.push_str(EVENTS);
    for declaration in &types.declarations {
        // The counters are flattened into the statistics.
        let declaration = match declaration
            .strip_suffix(" };")
            .filter(|_| declaration.contains("type SseStats "))
        {
            Some(fields) => format!("{fields} }} & SseCounters;"),
            None => declaration.clone(),
        };
        writeln!(text, "{declaration}\n").unwrap();
    }
    text.push_str("export type SseProcedures = {\n  sse: {\n");
    text.extend(types.entries.iter().map(RouterLine::line));
    text.push_str("  };\n};\n");
    text + FOOTER
}

#[test]
fn every_procedure_is_described() {
    let mut known: Vec<_> = procedures::all()
        .into_iter()
        .map(|(name, it)| (name, it.kind().as_str()))
        .collect();
    let names: Vec<_> = described()
        .entries
        .iter()
        .map(|it| (format!("sse.{}", it.name), it.kind.as_str()))
        .collect();
    let mut described: Vec<_> = names
        .iter()
        .map(|(name, kind)| (name.as_str(), *kind))
        .collect();
    known.sort_unstable();
    described.sort_unstable();
    assert_eq!(known, described);
}

/// Compares the shipped file with the definitions. With `UPDATE=1` in the environment, the test
/// writes the file.
#[test]
fn the_file_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("types/app-router.d.ts");
    let text = document();
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap_or_default(),
        text,
        "run `UPDATE=1 cargo test -p sse-trpc typescript`"
    );
}
