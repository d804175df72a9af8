//! Identifies callers: reads one request as JSON from each line of the input, and writes one answer
//! to each line of the output.
//!
//! ```sh
//! echo '{"nextauth": {"secrets": ["…"]}, "headers": [["cookie", "authjs.session-token=…"]]}' | cargo run -p sse-auth --features jwks-http --example verify
//! ```

use std::io::{self, BufRead as _, Write as _};

use serde::Deserialize;
use serde_json::{Value, json};
use sse_auth::{
    Algorithm, Authenticator, FirstOf, Jwks, Jwt, JwtBuilder, Key, KeyError, NextAuth,
    NextAuthBuilder, RemoteJwks, RequestView,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    nextauth: Option<Sessions>,
    jwt: Option<Tokens>,
    #[serde(default)]
    query: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sessions {
    secrets: Vec<String>,
    #[serde(default)]
    cookie_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Tokens {
    secret: Option<(String, String)>,
    pem: Option<String>,
    jwks: Option<Value>,
    jwks_url: Option<String>,
    issuer: Option<String>,
    audience: Option<String>,
    cookie: Option<String>,
}

type Error = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    for line in io::stdin().lock().lines() {
        let answer = answer(&serde_json::from_str(&line?)?).await?;
        writeln!(io::stdout(), "{answer}")?;
    }
    Ok(())
}

async fn answer(line: &Line) -> Result<Value, Error> {
    let mut authenticators = FirstOf::new();
    if let Some(tokens) = &line.jwt {
        authenticators = authenticators.or(tokens.authenticator()?);
    }
    if let Some(sessions) = &line.nextauth {
        authenticators = authenticators.or(sessions.authenticator()?);
    }
    let headers = line
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    let request = RequestView::new("GET")
        .query(line.query.as_str())
        .headers(headers);
    Ok(match authenticators.authenticate(&request).await {
        Ok(Some(who)) => json!({
            "user": who.user, "claims": who.claims, "expiresAt": who.expires_at, "credential": format!("{:?}", who.credential),
        }),
        Ok(None) => json!({ "refusal": "missing" }),
        Err(error) => json!({ "refusal": error.rejection().code(), "error": error.to_string() }),
    })
}

impl Sessions {
    fn authenticator(&self) -> Result<NextAuth, KeyError> {
        let builder = self
            .secrets
            .iter()
            .fold(NextAuth::builder(), NextAuthBuilder::secret);
        self.cookie_names
            .iter()
            .fold(builder, NextAuthBuilder::cookie_name)
            .build()
    }
}

impl Tokens {
    fn authenticator(&self) -> Result<Jwt, Error> {
        let mut jwt = Jwt::builder();
        if let Some((algorithm, secret)) = &self.secret {
            jwt = jwt.key(Key::secret(algorithm.parse::<Algorithm>()?, secret)?);
        }
        if let Some(pem) = &self.pem {
            jwt = jwt.key(Key::pem(pem)?);
        }
        if let Some(jwks) = &self.jwks {
            jwt = jwt.jwks(Jwks::from_json(jwks.to_string())?);
        }
        if let Some(url) = &self.jwks_url {
            jwt = jwt.remote(RemoteJwks::http(url)?);
        }
        jwt = self.issuer.iter().fold(jwt, JwtBuilder::issuer);
        jwt = self.audience.iter().fold(jwt, JwtBuilder::audience);
        jwt = self.cookie.iter().fold(jwt, JwtBuilder::cookie);
        Ok(jwt.build()?)
    }
}
