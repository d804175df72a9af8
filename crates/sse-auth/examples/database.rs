//! Sessions in a database: a site with NextAuth and its Prisma adapter (strategy `database`) has
//! opaque ids in its cookies.
//!
//! ```sh
//! cargo run -p sse-auth --example database            # creates a database with one session, and queries it
//! cargo run -p sse-auth --example database dev.db ID  # queries the database of a site for a session
//! ```

use std::{
    env,
    error::Error,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _};
use serde_json::{Map, Value};
use sse_auth::{
    Authenticator as _, BoxError, DatabaseSessions, RequestView, SessionStore, StoredSession,
};

const SESSION: &str = r#"SELECT u."id", u."name", u."email", s."expires"
    FROM "Session" s JOIN "User" u ON u."id" = s."userId" WHERE s."sessionToken" = ?1"#;

/// The tables of the Prisma adapter, with the columns that matter here.
const TABLES: &str = r#"
    CREATE TABLE "User" ("id" TEXT PRIMARY KEY, "name" TEXT, "email" TEXT);
    CREATE TABLE "Session" ("sessionToken" TEXT UNIQUE, "userId" TEXT, "expires" DATETIME);
    INSERT INTO "User" VALUES ('u1', 'Ada', 'ada@example.com');
    INSERT INTO "Session" VALUES ('an-opaque-id', 'u1', 4102444800000);
"#;

struct Sqlite(Arc<Mutex<Connection>>);

#[async_trait]
impl SessionStore for Sqlite {
    async fn find(&self, id: &str) -> Result<Option<StoredSession>, BoxError> {
        let (connection, id) = (Arc::clone(&self.0), id.to_owned());
        // A query waits for the disk, and must not block the threads of the runtime.
        Ok(tokio::task::spawn_blocking(move || find(&connection, &id)).await??)
    }
}

fn find(connection: &Mutex<Connection>, id: &str) -> rusqlite::Result<Option<StoredSession>> {
    let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
    let session = connection.query_row(SESSION, [id], |row| {
        let (name, email): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
        let claims = Map::from_iter([
            ("name".into(), Value::from(name)),
            ("email".into(), Value::from(email)),
        ]);
        let milliseconds: i64 = row.get(3)?;
        let expires = u64::try_from(milliseconds / 1000).unwrap_or_default();
        Ok(StoredSession::new(row.get::<_, String>(0)?)
            .claims(claims)
            .expires_at(expires))
    });
    session.optional()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let connection = match arguments.next() {
        Some(path) => Connection::open(Path::new(&path))?,
        None => Connection::open_in_memory()?,
    };
    let id = arguments.next();
    if id.is_none() {
        connection.execute_batch(TABLES)?;
    }
    let sessions = DatabaseSessions::new(Sqlite(Arc::new(Mutex::new(connection))));
    let cookie = format!(
        "authjs.session-token={}",
        id.as_deref().unwrap_or("an-opaque-id")
    );
    let request = RequestView::new("GET").header("cookie", &cookie);
    match sessions.authenticate(&request).await? {
        Some(identity) => println!(
            "{}: {}",
            identity.user.unwrap_or_default(),
            Value::from(identity.claims)
        ),
        None => println!("nobody"),
    }
    Ok(())
}
