//! Properties for every input: no panic, and no altered token is accepted. The fuzz targets have
//! the same properties.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;
use sse_auth::{
    Algorithm, AuthError, Authenticator, Credential, Identity, Jwks, Jwt, Key, ManualClock,
    NextAuth, Origins, RequestView, Tickets, redacted_query,
};

use crate::support::{NOW, SECRET, V4, V5, claims, hs256, v4, v5};

static NEXT_AUTH: LazyLock<NextAuth> = LazyLock::new(|| {
    NextAuth::builder()
        .secret(SECRET)
        .clock(ManualClock::at(NOW))
        .build()
        .unwrap()
});

static JWT: LazyLock<Jwt> = LazyLock::new(|| {
    let key = Key::secret(Algorithm::HS256, SECRET).unwrap();
    Jwt::builder()
        .key(key)
        .cookie("t")
        .clock(ManualClock::at(NOW))
        .build()
        .unwrap()
});

/// Polls an authenticator that never waits.
fn ask(who: &impl Authenticator, headers: &[(&str, &[u8])]) -> Result<Option<Identity>, AuthError> {
    let request = RequestView::new("GET").headers(headers.iter().copied());
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(who.authenticate(&request))
}

fn tokens() -> impl Strategy<Value = (&'static str, String)> {
    let [gcm, cbc] = ["A256GCM", "A256CBC-HS512"].map(|enc| json!({ "alg": "dir", "enc": enc }));
    prop_oneof![
        Just((V4, v4(SECRET, &gcm, claims().to_string()))),
        Just((V5, v5(SECRET, V5, &cbc, claims().to_string()))),
        Just((
            "t",
            hs256(
                &json!({ "alg": "HS256" }),
                claims().to_string(),
                SECRET.as_bytes()
            )
        )),
    ]
}

/// Generates parts of tokens, valid and invalid.
fn part() -> impl Strategy<Value = String> {
    let headers = r#"\{"alg":"(dir|HS256|none)"(,"enc":"(A256GCM|A256CBC-HS512)")?(,"kid":"[a-z]?")?(,"zip":"DEF")?\}"#;
    prop_oneof![
        "[A-Za-z0-9_-]{0,40}",
        headers.prop_map(crate::support::b64),
        any::<String>()
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn an_altered_token_is_refused((name, token) in tokens(), at in any::<prop::sample::Index>(), byte in 0x21_u8..0x7f) {
        let mut altered = token.clone().into_bytes();
        let at = at.index(altered.len());
        prop_assume!(altered[at] != byte && byte != b'%' && byte != b'"');
        altered[at] = byte;
        let cookie = [name.as_bytes(), b"=", &altered].concat();
        let answers = [ask(&*NEXT_AUTH, &[("cookie", &cookie)]), ask(&*JWT, &[("cookie", &cookie)])];
        for answer in answers {
            prop_assert!(!matches!(answer, Ok(Some(_))), "{answer:?}");
        }
    }

    #[test]
    fn truncated_or_extended_token_is_rejected((name, token) in tokens(), end in any::<prop::sample::Index>(), more in "[A-Za-z0-9._-]{0,3}") {
        let altered = format!("{}{more}", &token[..end.index(token.len())]);
        prop_assume!(altered != token);
        let cookie = format!("{name}={altered}");
        for answer in [ask(&*NEXT_AUTH, &[("cookie", cookie.as_bytes())]), ask(&*JWT, &[("cookie", cookie.as_bytes())])] {
            prop_assert!(!matches!(answer, Ok(Some(_))), "{answer:?}");
        }
    }

    #[test]
    fn random_tokens_are_rejected(parts in prop::collection::vec(part(), 0..7)) {
        let token = parts.join(".");
        for (header, value) in [("authorization", format!("Bearer {token}")), ("cookie", format!("{V4}={token}; {V5}={token}; t={token}"))] {
            prop_assert!(!matches!(ask(&*NEXT_AUTH, &[(header, value.as_bytes())]), Ok(Some(_))));
            prop_assert!(!matches!(ask(&*JWT, &[(header, value.as_bytes())]), Ok(Some(_))));
        }
    }

    #[test]
    fn random_bytes_admit_nobody(headers in prop::collection::vec((0_usize..4, any::<Vec<u8>>()), 0..6), query in any::<String>()) {
        let names = ["cookie", "authorization", "origin", "sec-fetch-site"];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (names[*name], value.as_slice())).collect();
        prop_assert!(!matches!(ask(&*NEXT_AUTH, &headers), Ok(Some(_))));
        prop_assert!(!matches!(ask(&*JWT, &headers), Ok(Some(_))));
        let request = RequestView::new("GET").query(query.as_str()).headers(headers);
        let _ = Origins::none().check(&request, Credential::Cookie);
        let _ = redacted_query(&query);
        prop_assert!(Tickets::new().take(&query).is_err());
        prop_assert!(Jwks::from_json(&query).is_err() && Key::pem(&query).is_err());
    }

    /// A session can be cut at any position, and its chunks can arrive in any order.
    #[test]
    fn chunks_reassemble_to_the_session(size in 60_usize..400, seed in any::<u64>(), noise in "[a-z]{1,8}=[a-z.]{0,8}") {
        let session = v4(SECRET, &json!({ "alg": "dir", "enc": "A256GCM" }), claims().to_string());
        let mut chunks: Vec<_> = session.as_bytes().chunks(size).enumerate().collect();
        prop_assume!(chunks.len() <= 16);
        chunks.sort_by_key(|(n, _)| (*n as u64 + 1).wrapping_mul(seed | 1));
        let cookies: Vec<_> = chunks.iter().map(|(n, chunk)| format!("{V4}.{n}={}", String::from_utf8_lossy(chunk))).collect();
        let header = format!("{noise}; {}", cookies.join("; "));
        let identity = ask(&*NEXT_AUTH, &[("cookie", header.as_bytes())]).unwrap().unwrap();
        prop_assert_eq!(identity.user.as_deref(), Some("ada"));
    }

    /// A secret is not shown, wherever it is in a query.
    #[test]
    fn redacting_never_shows_a_secret(before in "[a-zA-Z=&%;]{0,20}", name in "[a-zA-Z_]{0,12}=?", secret in "[A-Z0-9_-]{20}", after in "[a-z=&%;]{0,20}") {
        prop_assume!(!before.contains("topics=") && name != "topics=");
        let query = format!("{before}&{name}{secret}&{after}");
        let shown = redacted_query(&query);
        prop_assert!(!shown.contains(&secret), "{}", shown);
    }
}
