//! Invalid signed tokens, and some valid ones.

use serde_json::{Value, json};
use sse_auth::{
    Algorithm, Authenticator as _, Credential, Jwks, Jwt, JwtBuilder, Key, KeyError, ManualClock,
    RequestView,
};

use crate::support::{
    Es256, NOW, SECRET, accepted, ask, ask_bearer, ask_cookie, b64, claims, claims_with, hs256,
    refused,
};

/// A key that is too small. Its private half was not kept.
const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDF1NbGmoRmRgrOqo/V+IRtwH+L\n\
    y04tJm6wgJ03f6dxpuupbchhiYp6iKJTl5a5HzrDPv9qmxHL4L+JiecNFp2SOOUa\n\
    TeklT9B/DHQqW9HHxzK+qxrS46FMkToDJpblI+v34LNG+QmDgWpqU3jv/K57/Yaf\n\
    M9Ctx5WyeaLXISGCOwIDAQAB\n\
    -----END PUBLIC KEY-----\n";

struct Vector {
    algorithm: String,
    token: String,
    jwk: Value,
    pem: String,
}

/// Tokens of every algorithm that has a public key, made by `jose` (js/vectors.mjs).
fn vectors() -> Vec<Vector> {
    let all: Vec<Value> = serde_json::from_str(include_str!("../jose-vectors.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.into_iter()
        .map(|one| Vector {
            algorithm: text(&one["alg"]),
            token: text(&one["token"]),
            pem: text(&one["pem"]),
            jwk: one["jwk"].clone(),
        })
        .collect()
}

fn set(keys: &[Value]) -> Jwks {
    Jwks::from_json(json!({ "keys": keys }).to_string()).unwrap()
}

fn secret() -> Key {
    Key::secret(Algorithm::HS256, SECRET).unwrap()
}

fn builder() -> JwtBuilder {
    Jwt::builder().clock(ManualClock::at(NOW))
}

fn jwt() -> Jwt {
    builder().key(secret()).build().unwrap()
}

fn header() -> Value {
    json!({ "alg": "HS256", "typ": "JWT" })
}

fn token() -> String {
    hs256(&header(), claims().to_string(), SECRET.as_bytes())
}

fn with_claims(claims: &Value) -> String {
    hs256(&header(), claims.to_string(), SECRET.as_bytes())
}

#[tokio::test]
async fn every_algorithm_with_a_public_key() {
    let vectors = vectors();
    let all = builder()
        .jwks(set(&vectors
            .iter()
            .map(|vector| vector.jwk.clone())
            .collect::<Vec<_>>()))
        .build()
        .unwrap();
    for Vector {
        algorithm,
        token,
        jwk,
        pem,
    } in &vectors
    {
        let by_pem = builder().key(Key::pem(pem).unwrap()).build().unwrap();
        let by_set = builder()
            .jwks(set(std::slice::from_ref(jwk)))
            .build()
            .unwrap();
        for jwt in [&by_pem, &by_set, &all] {
            assert_eq!(
                accepted(ask_bearer(jwt, token).await),
                ("ada".to_owned(), Credential::Bearer),
                "{algorithm}"
            );
        }
        let narrow = Key::pem(pem)
            .unwrap()
            .algorithm(algorithm.parse().unwrap())
            .unwrap();
        assert_eq!(
            accepted(ask_bearer(&builder().key(narrow).build().unwrap(), token).await).0,
            "ada"
        );
        assert!(matches!(
            Key::pem(pem).unwrap().algorithm(Algorithm::HS256),
            Err(KeyError::WrongAlgorithm)
        ));
        // Another key of the same kind, or another kind.
        for other in vectors.iter().filter(|other| other.algorithm != *algorithm) {
            let jwt = builder()
                .key(Key::pem(&other.pem).unwrap())
                .build()
                .unwrap();
            let error = refused(ask_bearer(&jwt, token).await);
            assert!(
                error == "Signature" || error == format!("Algorithm({algorithm:?})"),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn secrets_of_every_length_of_hash() {
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let jwt = builder()
            .key(Key::secret(algorithm, SECRET).unwrap())
            .build()
            .unwrap();
        let answer = ask_bearer(&jwt, &token()).await;
        match algorithm {
            Algorithm::HS256 => assert_eq!(accepted(answer).0, "ada"),
            _ => assert_eq!(refused(answer), r#"Algorithm("HS256")"#),
        }
    }
}

#[tokio::test]
async fn a_token_cannot_choose_how_its_key_is_used() {
    for Vector {
        algorithm,
        token,
        jwk,
        pem,
    } in vectors()
    {
        let signed = |alg: &str, kid: Value, secret: &[u8]| {
            hs256(
                &json!({ "alg": alg, "kid": kid }),
                claims().to_string(),
                secret,
            )
        };
        for jwt in [
            builder().key(Key::pem(&pem).unwrap()).build().unwrap(),
            builder()
                .jwks(set(std::slice::from_ref(&jwk)))
                .build()
                .unwrap(),
        ] {
            for secret in [
                pem.as_bytes(),
                pem.trim().as_bytes(),
                jwk["n"].as_str().unwrap_or_default().as_bytes(),
                b"",
            ] {
                for alg in ["HS256", "HS384", "HS512"] {
                    assert_eq!(
                        refused(ask_bearer(&jwt, &signed(alg, jwk["kid"].clone(), secret)).await),
                        format!("Algorithm({alg:?})")
                    );
                }
            }
            // The same signature under another algorithm's name.
            let parts: Vec<_> = token.split('.').collect();
            for alg in [
                "none", "None", "nOnE", "", "HS256", "RS256", "ES256", "EdDSA", "rs256", "RS256 ",
            ] {
                if alg != algorithm {
                    let forged = format!(
                        "{}.{}.{}",
                        b64(json!({ "alg": alg }).to_string()),
                        parts[1],
                        parts[2]
                    );
                    assert!(ask_bearer(&jwt, &forged).await.is_err());
                    let unsigned =
                        format!("{}.{}.", b64(json!({ "alg": alg }).to_string()), parts[1]);
                    assert!(ask_bearer(&jwt, &unsigned).await.is_err());
                }
            }
        }
    }
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_not_looked_at() {
    let (own, other) = (Es256::new(), Es256::new());
    let jwt = builder().jwks(set(&[own.jwk("k")])).build().unwrap();
    assert_eq!(
        accepted(ask_bearer(&jwt, &own.sign("k", &claims())).await).0,
        "ada"
    );
    let forged = other.sign("k", &claims());
    assert_eq!(refused(ask_bearer(&jwt, &forged).await), "Signature");
    let brought = json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": b64("x") }, "jku": "https://evil.example/jwks", "x5c": ["AAAA"] });
    let error =
        refused(ask_bearer(&self::jwt(), &hs256(&brought, claims().to_string(), b"x")).await);
    assert_eq!(error, "Signature");
}

#[tokio::test]
async fn keys_are_chosen_by_their_id() {
    let (one, two, nameless) = (Es256::new(), Es256::new(), Es256::new());
    let mut without_id = nameless.jwk("");
    without_id.as_object_mut().unwrap().remove("kid");
    let jwt = builder()
        .jwks(set(&[one.jwk("1"), two.jwk("2"), without_id]))
        .build()
        .unwrap();
    assert_eq!(
        accepted(ask_bearer(&jwt, &two.sign("2", &claims())).await).0,
        "ada"
    );
    assert_eq!(
        refused(ask_bearer(&jwt, &two.sign("1", &claims())).await),
        "Signature"
    );
    // A key without an id is tried for unknown ids.
    assert_eq!(
        accepted(ask_bearer(&jwt, &nameless.sign("3", &claims())).await).0,
        "ada"
    );
    assert_eq!(
        refused(ask_bearer(&jwt, &two.sign("3", &claims())).await),
        "Signature"
    );
    let named = builder().jwks(set(&[one.jwk("1")])).build().unwrap();
    assert_eq!(
        refused(ask_bearer(&named, &one.sign("1\0", &claims())).await),
        "UnknownKey"
    );
}

#[tokio::test]
async fn tokens_without_an_id_try_a_few_keys() {
    let keys: Vec<_> = (0..9)
        .map(|_| Key::secret(Algorithm::HS256, format!("{:032}", rand_like())).unwrap())
        .collect();
    let few = keys[..7]
        .iter()
        .fold(builder().key(secret()), |jwt, key| jwt.key(key.clone()))
        .build()
        .unwrap();
    assert_eq!(accepted(ask_bearer(&few, &token()).await).0, "ada");
    let many = keys
        .iter()
        .fold(builder(), |jwt, key| jwt.key(key.clone()))
        .build()
        .unwrap();
    assert_eq!(
        refused(ask_bearer(&many, &token()).await),
        "AmbiguousKey { limit: 8 }"
    );
}

fn rand_like() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[tokio::test]
async fn headers_are_well_formed() {
    for (header, error) in [
        (json!({ "alg": "none" }), r#"Algorithm("none")"#),
        (
            json!({ "alg": "A".repeat(100) }),
            r#"Algorithm("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")"#,
        ),
        (
            json!({ "alg": 1 }),
            r#"Malformed("a header parameter is not text")"#,
        ),
        (
            json!({ "typ": "JWT" }),
            r#"Malformed("the header has no `alg`")"#,
        ),
        (
            json!({ "alg": "HS256", "kid": 1 }),
            r#"Malformed("a header parameter is not text")"#,
        ),
        (
            json!({ "alg": "HS256", "crit": ["exp"] }),
            r#"HeaderParameter("crit")"#,
        ),
        (
            json!({ "alg": "HS256", "b64": true }),
            r#"HeaderParameter("b64")"#,
        ),
        (
            json!({ "alg": "HS256", "zip": "DEF" }),
            r#"HeaderParameter("zip")"#,
        ),
        (
            json!({ "alg": "HS256", "typ": "dpop+jwt" }),
            r#"HeaderParameter("typ")"#,
        ),
        (
            json!({ "alg": "HS256", "typ": 1 }),
            r#"Malformed("a header parameter is not text")"#,
        ),
        (
            json!(["HS256"]),
            r#"Malformed("the header is no JSON object")"#,
        ),
    ] {
        assert_eq!(
            refused(
                ask_bearer(
                    &jwt(),
                    &hs256(&header, claims().to_string(), SECRET.as_bytes())
                )
                .await
            ),
            error
        );
    }
    for typ in ["JWT", "jwt", "application/at+jwt", "AT+JWT"] {
        let token = hs256(
            &json!({ "alg": "HS256", "typ": typ }),
            claims().to_string(),
            SECRET.as_bytes(),
        );
        assert_eq!(accepted(ask_bearer(&jwt(), &token).await).0, "ada");
    }
}

#[tokio::test]
async fn tokens_are_well_formed() {
    let token = token();
    let (message, signature) = token.rsplit_once('.').unwrap();
    for bad in [
        format!("{message}."),
        format!("{message}.{}", &signature[1..]),
        format!("{token}="),
        format!("{token}A"),
        format!("{message}.{}", b64("")),
    ] {
        assert!(ask_bearer(&jwt(), &bad).await.is_err(), "{bad}");
    }
    for end in message.len()..token.len() {
        assert!(
            ask_bearer(&jwt(), &token[..end])
                .await
                .unwrap_or(None)
                .is_none(),
            "{end}"
        );
    }
    // The last character of a signature has unused bits: only one spelling is accepted.
    let last = token.chars().last().unwrap();
    for other in ('a'..='z')
        .chain('A'..='Z')
        .chain('0'..='9')
        .filter(|other| *other != last)
    {
        assert!(
            ask_bearer(&jwt(), &format!("{}{other}", &token[..token.len() - 1]))
                .await
                .is_err(),
            "{other}"
        );
    }
    let huge = format!("{token}{}", "A".repeat(16 * 1024));
    assert_eq!(
        refused(ask_bearer(&jwt(), &huge).await),
        "TooLong { limit: 16384 }"
    );
}

#[tokio::test]
async fn claims_are_checked() {
    let far = json!(u64::MAX);
    for (claim, value, error) in [
        (
            "exp",
            json!(NOW - 15),
            format!("Expired {{ at: {} }}", NOW - 15),
        ),
        ("exp", json!(-1), "Expired { at: 0 }".to_owned()),
        (
            "exp",
            json!(null),
            r#"Claim { claim: "exp", problem: WrongType }"#.to_owned(),
        ),
        (
            "exp",
            json!("9999999999"),
            r#"Claim { claim: "exp", problem: WrongType }"#.to_owned(),
        ),
        (
            "exp",
            far,
            r#"Claim { claim: "exp", problem: OutOfRange }"#.to_owned(),
        ),
        (
            "nbf",
            json!(NOW + 16),
            format!("NotYetValid {{ at: {} }}", NOW + 16),
        ),
        (
            "sub",
            json!(["a"]),
            r#"Claim { claim: "sub", problem: WrongType }"#.to_owned(),
        ),
        ("sub", json!(null), "NoUser".to_owned()),
    ] {
        assert_eq!(
            refused(ask_bearer(&jwt(), &with_claims(&claims_with(claim, value))).await),
            error
        );
    }
    for payload in ["", "null", "[]", "{", "\u{feff}{}", "{}{}"] {
        let token = hs256(&header(), payload, SECRET.as_bytes());
        assert_eq!(
            refused(ask_bearer(&jwt(), &token).await),
            r#"Malformed("the claims are no JSON object")"#,
            "{payload}"
        );
    }
    let deep = format!(
        "{{\"sub\":\"a\",\"exp\":9999999999,\"x\":{}{}}}",
        "[".repeat(4000),
        "]".repeat(4000)
    );
    assert!(
        ask_bearer(&jwt(), &hs256(&header(), deep, SECRET.as_bytes()))
            .await
            .is_err()
    );
    // A number with more digits than a number type can hold.
    let digits = format!("{{\"sub\":\"a\",\"exp\":{}}}", "9".repeat(400));
    assert!(
        ask_bearer(&jwt(), &hs256(&header(), digits, SECRET.as_bytes()))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_end_is_required_unless_it_is_not() {
    let token = with_claims(&json!({ "sub": "ada" }));
    assert_eq!(
        refused(ask_bearer(&jwt(), &token).await),
        r#"Claim { claim: "exp", problem: Missing }"#
    );
    let lenient = builder().key(secret()).exp_optional().build().unwrap();
    assert_eq!(
        ask_bearer(&lenient, &token)
            .await
            .unwrap()
            .unwrap()
            .expires_at,
        None
    );
}

#[tokio::test]
async fn issuer_and_audience() {
    let jwt = builder()
        .key(secret())
        .issuer("https://i")
        .issuer("https://j")
        .audience("sse")
        .build()
        .unwrap();
    let with = |iss: Value, aud: Value| {
        let mut claims = claims();
        claims["iss"] = iss;
        claims["aud"] = aud;
        with_claims(&claims)
    };
    for (iss, aud) in [
        (json!("https://i"), json!("sse")),
        (json!("https://j"), json!(["x", "sse"])),
    ] {
        assert_eq!(accepted(ask_bearer(&jwt, &with(iss, aud)).await).0, "ada");
    }
    for (iss, aud, error) in [
        (
            json!("https://I"),
            json!("sse"),
            r#"Claim { claim: "iss", problem: NotAccepted }"#,
        ),
        (
            json!(["https://i"]),
            json!("sse"),
            r#"Claim { claim: "iss", problem: WrongType }"#,
        ),
        (
            json!("https://i"),
            json!("ss"),
            r#"Claim { claim: "aud", problem: NotAccepted }"#,
        ),
        (
            json!("https://i"),
            json!([]),
            r#"Claim { claim: "aud", problem: NotAccepted }"#,
        ),
        (
            json!("https://i"),
            json!(["sse", 1]),
            r#"Claim { claim: "aud", problem: WrongType }"#,
        ),
        (
            json!("https://i"),
            json!(null),
            r#"Claim { claim: "aud", problem: WrongType }"#,
        ),
    ] {
        assert_eq!(refused(ask_bearer(&jwt, &with(iss, aud)).await), error);
    }
    assert_eq!(
        refused(ask_bearer(&jwt, &token()).await),
        r#"Claim { claim: "iss", problem: Missing }"#
    );
}

#[tokio::test]
async fn no_token_is_chosen_by_its_place() {
    let jwt = builder()
        .key(secret())
        .cookie("t")
        .cookie("u")
        .build()
        .unwrap();
    assert_eq!(
        accepted(ask_cookie(&jwt, "t", &token()).await),
        ("ada".to_owned(), Credential::Cookie)
    );
    assert_eq!(
        accepted(ask(&jwt, "cookie", &format!("t=; u=\"{}\"", token())).await).0,
        "ada"
    );
    assert!(ask_cookie(&jwt, "t", "garbage").await.is_err());
    assert!(ask_cookie(&jwt, "v", &token()).await.unwrap().is_none());
    let bearer = format!("bearer {}", with_claims(&claims_with("sub", json!("eve"))));
    let cookie = format!("t={}", token());
    let request = RequestView::new("GET")
        .header("Cookie", &cookie)
        .header("Authorization", &bearer);
    assert_eq!(refused(jwt.authenticate(&request).await), "Ambiguous");
    for stale in [
        "Bearer a.b.c".to_owned(),
        format!("{bearer}x"),
        "Bearer".to_owned(),
        "Basic eDp5".to_owned(),
    ] {
        let request = RequestView::new("GET")
            .header("Cookie", &cookie)
            .header("Authorization", &stale);
        assert_eq!(
            accepted(jwt.authenticate(&request).await),
            ("ada".to_owned(), Credential::Cookie),
            "{stale}"
        );
        // In separate headers, in one header that a proxy joined, and in both orders.
        for values in [[&*stale, &bearer], [&bearer, &*stale]] {
            let twice = values.iter().fold(RequestView::new("GET"), |it, value| {
                it.header("authorization", *value)
            });
            assert_eq!(accepted(jwt.authenticate(&twice).await).0, "eve", "{stale}");
            assert_eq!(
                accepted(ask(&jwt, "authorization", &values.join(", ")).await).0,
                "eve",
                "{stale}"
            );
        }
    }
    let many: Vec<_> = (0..9).map(|n| format!("t=a.b.{n}")).collect();
    assert_eq!(
        refused(ask(&jwt, "cookie", &many.join("; ")).await),
        "TooMany { limit: 8 }"
    );
    assert!(ask_bearer(&self::jwt(), "opaque").await.unwrap().is_none());
    let renewed = RequestView::with_bearer(&token()).clone();
    assert_eq!(
        accepted(jwt.authenticate(&renewed).await).1,
        Credential::Bearer
    );
}

#[test]
fn weak_and_mistaken_keys_are_refused() {
    assert!(matches!(
        Key::secret(Algorithm::HS256, "short"),
        Err(KeyError::TooShort {
            length: 5,
            least: 32
        })
    ));
    assert!(matches!(
        Key::secret(Algorithm::HS256, ""),
        Err(KeyError::TooShort { .. })
    ));
    assert!(matches!(
        Key::secret(Algorithm::RS256, SECRET),
        Err(KeyError::WrongAlgorithm)
    ));
    for vector in vectors() {
        for text in [
            vector.pem.clone(),
            format!("\n {}", vector.pem),
            vector.jwk.to_string(),
        ] {
            assert!(matches!(
                Key::secret(Algorithm::HS256, text),
                Err(KeyError::NoSecretText)
            ));
        }
        let private = vector.pem.replace("PUBLIC KEY", "PRIVATE KEY");
        assert!(matches!(Key::pem(private), Err(KeyError::Private)));
        let certificate = vector.pem.replace("PUBLIC KEY", "CERTIFICATE");
        assert!(matches!(Key::pem(certificate), Err(KeyError::Pem)));
        assert!(Key::pem(&vector.pem[..vector.pem.len() / 2]).is_err());
    }
    for bad in [
        "",
        "x",
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
    ] {
        assert!(matches!(Key::pem(bad), Err(KeyError::Pem)), "{bad}");
    }
    assert!(matches!(Key::pem(RSA_1024), Err(KeyError::SmallRsa)));
    assert!(matches!(Jwt::builder().build(), Err(KeyError::NoKey)));
    assert!(matches!(
        Key::pem_file("/does/not/exist"),
        Err(KeyError::File(_))
    ));
}

#[test]
fn key_sets_pass_over_what_they_do_not_know_and_are_bounded() {
    let good = Es256::new().jwk("k");
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let unknown = [
        json!({ "kty": "XX" }),
        json!({ "kty": "OKP", "crv": "X25519", "x": b64([1; 32]) }),
        json!({ "kty": "EC", "crv": "P-521", "x": b64([1; 66]), "y": b64([1; 66]) }),
        json!({ "kty": "EC", "crv": "secp256k1", "x": b64([1; 32]), "y": b64([1; 32]) }),
        json!(null),
        json!({ "kty": "RSA", "n": b64([0xff; 255]), "e": "AQAB" }),
        with("use", json!("enc")),
        with("key_ops", json!(["sign"])),
        with("crv", json!("P-384")),
        with("alg", json!("HS256")),
        with("alg", json!("RS256")),
        with("alg", json!("none")),
        with("x", json!("!")),
        with("x", json!(b64([1; 31]))),
        json!({ "kty": "oct", "k": b64("short") }),
    ];
    for key in &unknown {
        let set = json!({ "keys": [key] }).to_string();
        assert!(
            matches!(Jwks::from_json(set), Err(KeyError::NoKey)),
            "{key}"
        );
    }
    let mut keys = unknown.to_vec();
    keys.push(with("key_ops", json!(["verify"])));
    assert!(Jwks::from_json(json!({ "keys": keys }).to_string()).is_ok());

    for (text, error) in [
        ("", "it is not JSON"),
        ("[]", "it has no `keys`"),
        ("{\"keys\":{}}", "it has no `keys`"),
    ] {
        assert!(
            matches!(Jwks::from_json(text), Err(KeyError::Jwks(found)) if found == error),
            "{text}"
        );
    }
    let many = json!({ "keys": vec![good.clone(); 65] }).to_string();
    assert!(matches!(
        Jwks::from_json(many),
        Err(KeyError::Jwks("it has more than 64 keys"))
    ));
    let long = format!("{}{}", " ".repeat(256 * 1024), json!({ "keys": [good] }));
    assert!(matches!(
        Jwks::from_json(long),
        Err(KeyError::Jwks("it is longer than 256 KiB"))
    ));
}
