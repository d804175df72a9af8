//! The types of the API for TypeScript, made from the Rust definitions and compared with the file
//! that is shipped.

use std::{fmt::Write as _, fs, future::Future, path::Path};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sse_core::{Handshake, Manager, Retention, Target};
use sse_notify::Kind as NotificationKind;
use ts_rs::{Config, TS};

use crate::{
    context::Context,
    error::Error,
    procedure::Kind,
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

const EVENTS: &str = r#"/** What a subscription gives: the event's type, `message` where it has none, and its data. */
export type SseEvent = { type: string; data: unknown };

/** An event with an id, by which the client goes on after a lost connection. */
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

/// What is not an input or an output itself.
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
    let gaps = literal(&json!(manager.log().unwrap().gaps));
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

/// The type of a value that stands for all of its kind.
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

/// As a stream in a listing looks on the wire.
#[derive(TS, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "its form is what counts")]
struct Connection {
    client_id: String,
    user_id: Option<String>,
    /// By which signing in it came: the same for all streams of one browser. `null` where
    /// authentication cannot tell.
    login_id: Option<String>,
    topics: Vec<String>,
    connected_at: u64,
    waiting: usize,
    delivered: u64,
    /// The node that it is on; only in a cluster.
    #[ts(optional)]
    node: Option<String>,
}

/// As part of a listing looks on the wire.
#[derive(TS, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "its form is what counts")]
struct ConnectionPage {
    items: Vec<Connection>,
    #[ts(type = "number | string | null")]
    next_cursor: Value,
    /// Nodes of the cluster that did not answer in time; only if some did not, or it is not known
    /// who is there.
    #[ts(optional)]
    incomplete: Option<Vec<String>>,
}

#[test]
fn listings_look_as_they_are_described() {
    let manager = Manager::builder().build().unwrap();
    let _streams = ["ada", "bob"].map(|user| manager.connect(Handshake::new().user(user)).unwrap());
    let page = manager.connections(&sse_core::ConnectionQuery::first(1));
    serde_json::from_value::<ConnectionPage>(json!(page)).unwrap();
}

/// A procedure's line in the router.
struct Entry {
    name: &'static str,
    kind: Kind,
    input: String,
    output: String,
}

impl Entry {
    fn line(&self) -> String {
        let Self {
            name,
            kind,
            input,
            output,
        } = self;
        let procedure = match kind {
            Kind::Query => "TRPCQueryProcedure",
            Kind::Mutation => "TRPCMutationProcedure",
            Kind::Subscription => "TRPCSubscriptionProcedure",
        };
        format!("    {name}: {procedure}<{{ input: {input}; output: {output}; meta: object }}>;\n")
    }
}

/// Collects the types of procedures.
struct Types {
    config: Config,
    declarations: Vec<String>,
    entries: Vec<Entry>,
}

impl Types {
    fn declare<T: TS + 'static>(&mut self) -> String {
        let declaration = format!("export {}", T::decl(&self.config));
        if !self.declarations.contains(&declaration) {
            self.declarations.push(declaration);
        }
        T::name(&self.config)
    }

    /// An input without a field that must be there may be left out altogether.
    fn input<I: TS + DeserializeOwned + 'static>(&mut self) -> String {
        let name = self.declare::<I>();
        if serde_json::from_str::<I>("{}").is_ok() {
            format!("{name} | void")
        } else {
            name
        }
    }

    /// A handler as it stands in the list of procedures.
    fn call<I, O, F>(&mut self, name: &'static str, kind: Kind, _: impl Fn(Context, I) -> F)
    where
        I: TS + DeserializeOwned + 'static,
        O: TS + Serialize + 'static,
        F: Future<Output = Result<O, Error>>,
    {
        let (input, output) = (self.input::<I>(), self.declare::<O>());
        self.entries.push(Entry {
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
    types.call("getStats", Kind::Query, stats::get);
    types.declare::<Connection>();
    let (input, output) = (
        types.input::<connections::Input>(),
        types.declare::<ConnectionPage>(),
    );
    types.entries.push(Entry {
        name: "getConnections",
        kind: Kind::Query,
        input,
        output,
    });
    for name in ["sendSuccess", "sendInfo", "sendWarning", "sendError"] {
        let (input, output) = (types.input::<notify::Send>(), types.declare::<Done>());
        types.entries.push(Entry {
            name,
            kind: Kind::Mutation,
            input,
            output,
        });
    }
    types.call(
        "sendNotification",
        Kind::Mutation,
        notify::send_notification,
    );
    types.call("broadcastNotification", Kind::Mutation, notify::broadcast);
    types.call("sendSystemEvent", Kind::Mutation, system::send);
    types.call("broadcastSystemEvent", Kind::Mutation, system::broadcast);
    types.call("publish", Kind::Mutation, publish::publish);
    types.call("join", Kind::Mutation, membership::join);
    types.call("leave", Kind::Mutation, membership::leave);
    types.call("createTicket", Kind::Mutation, ticket::create);
    types.call("renew", Kind::Mutation, renew::renew);
    types.call("disconnect", Kind::Mutation, disconnect::disconnect);
    let input = types.input::<events::Input>().replace(
        "EventsInput",
        "(EventsInput & { lastEventId?: string | null })",
    );
    let output = "AsyncIterable<SseEvent | TrackedSseEvent>".into();
    types.entries.push(Entry {
        name: "events",
        kind: Kind::Subscription,
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
        // The counters are flattened into it.
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
    text.extend(types.entries.iter().map(Entry::line));
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

/// With `UPDATE=1` in the environment it writes the file.
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
