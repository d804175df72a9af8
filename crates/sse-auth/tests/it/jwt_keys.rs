//! Keys of signed tokens: algorithms, selection by id, and key sets.

use serde_json::{Value, json};
use sse_auth::{Algorithm, Credential, Jwks, Jwt, Key, KeyError};

use crate::support::{Es256, SECRET, accepted, ask_bearer, b64, claims, hs256, refused};

use crate::jwt::{builder, jwt, secret, token};

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
async fn token_cannot_choose_the_use_of_its_key() {
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
async fn keys_inside_a_token_are_ignored() {
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
fn key_sets_skip_unknown_keys_and_are_bounded() {
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
