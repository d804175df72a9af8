//! Cookies with sessions: names, chunks, and several at once.

use serde_json::json;
use sse_auth::{Authenticator as _, Credential, RequestView};

use crate::support::{NOW, SECRET, V4, V5, accepted, ask, ask_cookie, claims, refused, v4, v5};

use crate::next_auth::{builder, cbc, gcm, next_auth, v4_session, v5_session};

#[tokio::test]
async fn quoted_and_escaped_cookies_are_decoded() {
    let session = v4_session();
    for value in [
        format!("\"{session}\""),
        session.replace('.', "%2E"),
        format!(" {session} "),
    ] {
        assert_eq!(
            accepted(ask_cookie(&next_auth(), V4, &value).await).0,
            "ada",
            "{value}"
        );
    }
    assert!(
        ask_cookie(&next_auth(), V4, &format!("\"{session}"))
            .await
            .is_err()
    );
}

/// Returns the users that some cookies identify, in the given and in the reverse order, in one
/// header and in several.
async fn users(cookies: &[&str]) -> String {
    let mut answers = Vec::new();
    let reversed: Vec<_> = cookies.iter().rev().copied().collect();
    for cookies in [cookies, reversed.as_slice()] {
        let header = cookies.join("; ");
        let request = RequestView::new("GET").header("cookie", &header);
        answers.push(next_auth().authenticate(&request).await);
        // HTTP/2 and proxies split the header.
        let split = cookies
            .iter()
            .fold(RequestView::new("GET"), |request, one| {
                request.header("cookie", *one)
            });
        answers.push(next_auth().authenticate(&split).await);
    }
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| match answer {
            Ok(Some(identity)) => identity.user.unwrap(),
            Ok(None) => "nobody".to_owned(),
            Err(error) => error.code().to_owned(),
        })
        .collect();
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{cookies:?}: {answers:?}"
    );
    answers[0].clone()
}

#[tokio::test]
async fn position_of_sessions_does_not_matter() {
    let secure = |name: &str| format!("__Secure-{name}");
    let sealed = |name: &str, user: &str, exp: u64| {
        let claims = json!({ "sub": user, "exp": exp }).to_string();
        match name.ends_with(V4) {
            true => format!("{name}={}", v4(SECRET, &gcm(), claims)),
            false => format!("{name}={}", v5(SECRET, name, &cbc(), claims)),
        }
    };
    let names = [V4.to_owned(), V5.to_owned(), secure(V4), secure(V5)];
    for one in &names {
        for two in &names {
            let [good, same, other] = [("ada", 60), ("ada", 90), ("bob", 60)]
                .map(|(user, left)| sealed(two, user, NOW + left));
            let stale = sealed(one, "eve", NOW - 60);
            let garbage = format!("{one}=gar.bage");
            let opaque = format!("{one}=8f7a1f9e-6f6b-4f0a-9b57-4c1d3a0c9d11");
            let own = sealed(one, "ada", NOW + 60);
            for bad in [
                &stale,
                &garbage,
                &opaque,
                &format!("{one}="),
                &format!("{one}={}", "x".repeat(70_000)),
            ] {
                assert_eq!(users(&[bad, &good]).await, "ada", "{one} {two}");
                assert_eq!(
                    users(&[bad, &good, "theme=dark", bad, &same]).await,
                    "ada",
                    "{one} {two}"
                );
            }
            assert_eq!(users(&[&own, &good]).await, "ada", "{one} {two}");
            assert_eq!(users(&[&own, &other]).await, "ambiguous", "{one} {two}");
            assert_eq!(
                users(&[&own, &stale, &same, &garbage, &other]).await,
                "ambiguous",
                "{one} {two}"
            );
            assert_eq!(users(&[&stale, &garbage]).await, "expired", "{one} {two}");
        }
    }
}

#[tokio::test]
async fn session_that_ends_last_counts() {
    let session = |exp: u64| {
        v4(
            SECRET,
            &gcm(),
            json!({ "sub": "ada", "exp": exp }).to_string(),
        )
    };
    let (short, long) = (session(NOW + 5), session(NOW + 50));
    for cookies in [
        format!("{V4}={short}; {V4}={long}"),
        format!("{V4}={long}; {V4}={short}"),
    ] {
        let identity = ask(&next_auth(), "cookie", &cookies)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(identity.expires_at, Some(NOW + 50));
    }
}

/// Two interleaved sets of chunks, such as those of two paths or domains, in every order.
#[tokio::test]
async fn chunks_of_two_sessions_are_separated() {
    let chunks = |user: &str, count: usize| {
        let session = v4(
            SECRET,
            &gcm(),
            json!({ "sub": user, "exp": NOW + 60, "x": "y".repeat(300) }).to_string(),
        );
        let size = session.len().div_ceil(count);
        let chunks = session
            .as_bytes()
            .chunks(size)
            .map(<[u8]>::to_vec)
            .enumerate();
        chunks
            .map(|(n, chunk)| format!("{V4}.{n}={}", String::from_utf8(chunk).unwrap()))
            .collect::<Vec<_>>()
    };
    for (one, two) in [(1, 1), (1, 2), (2, 2), (3, 2), (2, 4), (4, 4)] {
        let stale: Vec<_> = chunks("eve", two)
            .iter()
            .map(|chunk| chunk.replacen('=', "=A", 1))
            .collect();
        let all = |more: &[String]| {
            let all = [&chunks("ada", one)[..], more].concat();
            let mut orders = vec![all.clone()];
            // Interleaved, then sorted by number.
            orders.push(
                all.iter()
                    .step_by(2)
                    .chain(all.iter().skip(1).step_by(2))
                    .cloned()
                    .collect(),
            );
            let mut sorted = all;
            sorted.sort();
            orders.push(sorted);
            orders
        };
        for (more, expected) in [
            (chunks("ada", two), "ada"),
            (chunks("bob", two), "ambiguous"),
            (stale, "ada"),
        ] {
            for cookies in all(&more) {
                let cookies: Vec<_> = cookies.iter().map(String::as_str).collect();
                assert_eq!(users(&cookies).await, expected, "{one} {two}");
            }
        }
    }
    // Stale chunks of a longer session.
    let shorter = [
        chunks("ada", 2),
        vec![format!("{V4}.2=stale"), format!("{V4}.3=stale")],
    ]
    .concat();
    assert_eq!(
        users(&shorter.iter().map(String::as_str).collect::<Vec<_>>()).await,
        "ada"
    );
}

#[tokio::test]
async fn too_many_sessions_are_rejected() {
    let good = format!("{V4}={}", v4_session());
    let bad: Vec<_> = (0..40).map(|n| format!("{V4}=a.{n}")).collect();
    let some = [&bad[..20], std::slice::from_ref(&good)].concat();
    assert_eq!(
        users(&some.iter().map(String::as_str).collect::<Vec<_>>()).await,
        "ada"
    );
    let many = [&bad[..], std::slice::from_ref(&good)].concat();
    assert_eq!(
        users(&many.iter().map(String::as_str).collect::<Vec<_>>()).await,
        "too_many"
    );
    let chunks: Vec<_> = (0..8)
        .flat_map(|n| [format!("{V4}.{n}=a"), format!("{V4}.{n}=b")])
        .collect();
    assert_eq!(
        users(&chunks.iter().map(String::as_str).collect::<Vec<_>>()).await,
        "too_many"
    );
}

#[tokio::test]
async fn a_stale_cookie_does_not_hide_a_good_one() {
    let session = v5_session();
    let (one, two) = session.split_at(session.len() / 2);
    for stale in [
        format!("{V5}=garbage"),
        format!("{V5}={session}x"),
        format!("{V5}={session}; {V4}=x"),
        format!("{V5}="),
    ] {
        let cookies = format!("{stale}; {V5}.1={two}; {V5}.0={one}");
        assert_eq!(
            accepted(ask(&next_auth(), "cookie", &cookies).await).0,
            "ada",
            "{stale}"
        );
    }
    // A whole cookie together with chunks of an older session.
    let cookies = format!("{V5}={session}; {V5}.0=garbage");
    assert_eq!(
        accepted(ask(&next_auth(), "cookie", &cookies).await).0,
        "ada"
    );
    // The stale v4 cookie of a site that has moved from v4 to v5.
    let cookies = format!("{V4}=garbage; {V5}={session}");
    assert_eq!(
        accepted(ask(&next_auth(), "cookie", &cookies).await).0,
        "ada"
    );
}

/// A sibling subdomain can set the plain cookie, but not the prefixed one.
#[tokio::test]
async fn prefixed_name_excludes_a_planted_cookie() {
    let name = format!("__Secure-{V5}");
    let secure = v5(SECRET, &name, &cbc(), claims().to_string());
    let planted = v5(SECRET, V5, &cbc(), r#"{"sub":"eve"}"#);
    let cookies = format!("{V5}={planted}; {name}={secure}");
    assert_eq!(
        refused(ask(&next_auth(), "cookie", &cookies).await),
        "Ambiguous"
    );
    let named = builder().cookie_name(&name).build().unwrap();
    assert_eq!(accepted(ask(&named, "cookie", &cookies).await).0, "ada");
}

#[tokio::test]
async fn chunks_are_counted() {
    let session = v4_session();
    let cut = |count: usize| {
        let size = session.len().div_ceil(count);
        let chunks = session.as_bytes().chunks(size).enumerate();
        let chunks: Vec<_> = chunks
            .map(|(n, chunk)| format!("{V4}.{n}={}", String::from_utf8_lossy(chunk)))
            .collect();
        chunks.join("; ")
    };
    assert_eq!(
        accepted(ask(&next_auth(), "cookie", &cut(15)).await).0,
        "ada"
    );
    assert_eq!(
        refused(ask(&next_auth(), "cookie", &cut(40)).await),
        "TooManyChunks { limit: 16 }"
    );
    let gap = cut(3).replace(".1=", ".3=");
    assert_eq!(
        refused(ask(&next_auth(), "cookie", &gap).await),
        "MissingChunk { chunk: 1 }"
    );
    let huge: Vec<_> = (0..16)
        .map(|n| format!("{V4}.{n}={}", "a".repeat(5000)))
        .collect();
    assert_eq!(
        refused(ask(&next_auth(), "cookie", &huge.join("; ")).await),
        "TooLong { limit: 65536 }"
    );
}

#[tokio::test]
async fn a_bearer_token_and_a_cookie_are_of_one_user() {
    let cookie = format!("{V4}={}", v4_session());
    let bearer = |user: &str, exp: u64| {
        format!(
            "Bearer {}",
            v4(
                SECRET,
                &gcm(),
                json!({ "sub": user, "exp": exp }).to_string()
            )
        )
    };
    for (bearer, answer) in [
        (
            bearer("ada", NOW + 5),
            Ok(("ada".to_owned(), Credential::Bearer)),
        ),
        (bearer("eve", NOW + 5), Err("Ambiguous")),
        (
            bearer("eve", NOW - 50),
            Ok(("ada".to_owned(), Credential::Cookie)),
        ),
        (
            "Bearer a.b.c.d.e".to_owned(),
            Ok(("ada".to_owned(), Credential::Cookie)),
        ),
    ] {
        let request = RequestView::new("GET")
            .header("authorization", &bearer)
            .header("cookie", &cookie);
        let found = next_auth().authenticate(&request).await;
        match answer {
            Ok(expected) => assert_eq!(accepted(found), expected),
            Err(error) => assert_eq!(refused(found), error),
        }
    }
}
