//! Sessions in a database: in SQLite, with the tables of NextAuth's Prisma adapter, and in test
//! doubles that count and fail.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _};
use serde_json::{Map, Value, json};
use sse_auth::{
    AuthRejection, BoxError, Credential, DatabaseSessions, ManualClock, NextAuth, SessionStore,
    StoredSession,
};

use crate::support::{NOW, V4, V5, accepted, ask, ask_cookie, refused};

/// The tables that `@auth/prisma-adapter` documents for SQLite. Prisma stores times in milliseconds
/// in SQLite.
const TABLES: &str = r#"
    CREATE TABLE "User" ("id" TEXT PRIMARY KEY, "name" TEXT, "email" TEXT UNIQUE, "emailVerified" DATETIME, "image" TEXT);
    CREATE TABLE "Session" (
        "sessionToken" TEXT NOT NULL UNIQUE, "userId" TEXT NOT NULL REFERENCES "User" ("id") ON DELETE CASCADE, "expires" DATETIME NOT NULL
    );
    INSERT INTO "User" ("id", "name", "email") VALUES ('u1', 'Ada', 'ada@example.com');
"#;

#[derive(Clone)]
struct Sqlite(Arc<Mutex<Connection>>);

impl Sqlite {
    fn new(path: &std::path::Path) -> Self {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch(TABLES).unwrap();
        Self(Arc::new(Mutex::new(connection)))
    }

    fn sign_in(&self, token: &str, expires: u64) {
        let sql = r#"INSERT INTO "Session" VALUES (?1, 'u1', ?2)"#;
        self.0
            .lock()
            .execute(sql, (token, i64::try_from(expires * 1000).unwrap()))
            .unwrap();
    }

    fn sign_out(&self, token: &str) {
        self.0
            .lock()
            .execute(
                r#"DELETE FROM "Session" WHERE "sessionToken" = ?1"#,
                [token],
            )
            .unwrap();
    }
}

#[async_trait]
impl SessionStore for Sqlite {
    async fn find(&self, id: &str) -> Result<Option<StoredSession>, BoxError> {
        let (connection, id) = (self.0.clone(), id.to_owned());
        let sql = r#"SELECT u."id", u."name", u."email", s."expires"
            FROM "Session" s JOIN "User" u ON u."id" = s."userId" WHERE s."sessionToken" = ?1"#;
        let read = move || {
            connection
                .lock()
                .query_row(sql, [id], |row| {
                    let (user, name, email): (String, Option<String>, Option<String>) =
                        (row.get(0)?, row.get(1)?, row.get(2)?);
                    let expires: i64 = row.get(3)?;
                    let claims: Map<String, Value> = [
                        ("name".to_owned(), json!(name)),
                        ("email".to_owned(), json!(email)),
                    ]
                    .into_iter()
                    .collect();
                    Ok(StoredSession::new(user)
                        .claims(claims)
                        .expires_at(u64::try_from(expires / 1000).ok()))
                })
                .optional()
        };
        Ok(tokio::task::spawn_blocking(read).await??)
    }
}

#[tokio::test]
async fn a_session_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let database = Sqlite::new(&folder.path().join("site.db"));
    database.sign_in("8f7a1f9e-6f6b", NOW + 3600);
    database.sign_in("old", NOW - 1);
    let clock = ManualClock::at(NOW);
    let sessions = DatabaseSessions::builder(database.clone())
        .clock(clock.clone())
        .build();
    for name in [
        V4,
        V5,
        "__Secure-authjs.session-token",
        "__Host-next-auth.session-token",
    ] {
        let identity = ask_cookie(&sessions, name, "8f7a1f9e-6f6b")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (identity.user.as_deref(), identity.expires_at),
            (Some("u1"), Some(NOW + 3600))
        );
        assert_eq!(
            (&identity.claims["email"], identity.credential),
            (&json!("ada@example.com"), Credential::Cookie)
        );
    }
    assert_eq!(
        refused(ask_cookie(&sessions, V5, "old").await),
        format!("Expired {{ at: {} }}", NOW - 1)
    );
    for id in [
        "unknown",
        "' OR '1'='1",
        "8f7a1f9e-6f6b\0",
        "%27",
        "\u{fffd}",
    ] {
        assert_eq!(
            refused(ask_cookie(&sessions, V5, id).await),
            "UnknownSession"
        );
    }
    assert_eq!(
        refused(ask_cookie(&sessions, V5, &"a".repeat(513)).await),
        "TooLong { limit: 512 }"
    );
    assert!(
        ask(&sessions, "cookie", "authjs.session-token=; x=y")
            .await
            .unwrap()
            .is_none()
    );

    // A sign-out takes effect once the remembered session expires, or at once if `forget` is
    // called.
    database.sign_out("8f7a1f9e-6f6b");
    assert_eq!(
        accepted(ask_cookie(&sessions, V5, "8f7a1f9e-6f6b").await).0,
        "u1"
    );
    clock.advance(Duration::from_secs(10));
    assert_eq!(
        refused(ask_cookie(&sessions, V5, "8f7a1f9e-6f6b").await),
        "UnknownSession"
    );
    database.sign_in("second", NOW + 3600);
    assert_eq!(accepted(ask_cookie(&sessions, V5, "second").await).0, "u1");
    database.sign_out("second");
    sessions.forget("second").await;
    assert_eq!(
        refused(ask_cookie(&sessions, V5, "second").await),
        "UnknownSession"
    );
}

/// A store that counts, waits, and fails on demand.
#[derive(Clone, Default)]
struct Double {
    asked: Arc<AtomicUsize>,
    down: Arc<AtomicUsize>,
}

#[async_trait]
impl SessionStore for Double {
    async fn find(&self, id: &str) -> Result<Option<StoredSession>, BoxError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        match id {
            _ if self.down.load(Ordering::SeqCst) > 0 => Err("the database is down".into()),
            "a" => Ok(Some(StoredSession::new("ada").expires_at(NOW + 5))),
            "nobody" => Ok(Some(StoredSession::new(""))),
            _ => Ok(None),
        }
    }
}

fn double() -> (Double, ManualClock, DatabaseSessions) {
    let (store, clock) = (Double::default(), ManualClock::at(NOW));
    let sessions = DatabaseSessions::builder(store.clone())
        .cookie_name("s")
        .clock(clock.clone())
        .build();
    (store, clock, sessions)
}

async fn many(sessions: &DatabaseSessions, id: &str) -> Vec<bool> {
    let callers = (0..20).map(|_| {
        let (sessions, id) = (sessions.clone(), id.to_owned());
        tokio::spawn(async move { ask_cookie(&sessions, "s", &id).await.is_ok() })
    });
    let mut answers = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        answers.push(caller.await.unwrap());
    }
    answers
}

#[tokio::test(start_paused = true)]
async fn one_query_at_a_time_for_one_id() {
    let (store, clock, sessions) = double();
    assert_eq!(many(&sessions, "a").await, [true; 20]);
    assert_eq!(many(&sessions, "x").await, [false; 20]);
    assert_eq!(store.asked.load(Ordering::SeqCst), 2);
    clock.advance(Duration::from_secs(2));
    assert_eq!(many(&sessions, "x").await, [false; 20]);
    assert_eq!(many(&sessions, "a").await, [true; 20]);
    assert_eq!(store.asked.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_remembered_session_still_ends_in_time() {
    let (store, clock, sessions) = double();
    assert_eq!(accepted(ask_cookie(&sessions, "s", "a").await).0, "ada");
    clock.advance(Duration::from_secs(5));
    assert_eq!(
        refused(ask_cookie(&sessions, "s", "a").await),
        format!("Expired {{ at: {} }}", NOW + 5)
    );
    assert_eq!(store.asked.load(Ordering::SeqCst), 1);
    assert_eq!(
        refused(ask_cookie(&sessions, "s", "nobody").await),
        "NoUser"
    );
}

#[tokio::test(start_paused = true)]
async fn failures_are_not_remembered() {
    let (store, _, sessions) = double();
    store.down.store(1, Ordering::SeqCst);
    let error = ask_cookie(&sessions, "s", "a").await.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.rejection()),
        ("the session store failed", AuthRejection::Unavailable)
    );
    store.down.store(0, Ordering::SeqCst);
    assert_eq!(accepted(ask_cookie(&sessions, "s", "a").await).0, "ada");
}

#[tokio::test(start_paused = true)]
async fn departed_caller_leaves_query_to_the_next() {
    let (_, _, sessions) = double();
    let gone =
        tokio::time::timeout(Duration::from_millis(10), ask_cookie(&sessions, "s", "a")).await;
    assert!(gone.is_err());
    assert_eq!(accepted(ask_cookie(&sessions, "s", "a").await).0, "ada");
}

#[tokio::test(start_paused = true)]
async fn encrypted_sessions_are_not_queried() {
    let (store, _, sessions) = double();
    assert!(
        ask_cookie(&sessions, "s", "a.b.c.d.e")
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(store.asked.load(Ordering::SeqCst), 0);
    // Both strategies together.
    let next_auth = NextAuth::builder()
        .secret("x".repeat(16))
        .cookie_name("s")
        .pass_opaque_ids()
        .build()
        .unwrap();
    let both = sse_auth::FirstOf::new().or(next_auth).or(sessions);
    assert_eq!(accepted(ask_cookie(&both, "s", "a").await).0, "ada");
}
