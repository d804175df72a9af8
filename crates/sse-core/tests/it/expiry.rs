//! Streams that end when their authentication expires, in paused time.

use std::{collections::BTreeSet, time::Duration};

use sse_core::{
    Caller, ConnectErrorKind, DisconnectReason, Handshake, Manager, RenewError, UserId,
    backplane::unix_ms,
};
use tokio::time::{Instant, sleep};

use crate::support::{Client, json};

const MINUTE: Duration = Duration::from_secs(60);

fn caller(user: &str, left: Duration) -> Caller {
    let mut caller = Caller::user(UserId::new(user).unwrap());
    caller.expires_at = Some(unix_ms() + u64::try_from(left.as_millis()).unwrap());
    caller
}

fn greeted(manager: &Manager, caller: Caller) -> Client {
    Client::greeted(manager, Handshake::new().caller(caller))
}

/// Takes events until the stream ends. Returns the reason and the time of the end.
async fn end(mut client: Client) -> (DisconnectReason, Instant, Client) {
    let mut ending = client.session.closed();
    loop {
        tokio::select! {
            reason = &mut ending => return (reason, Instant::now(), client),
            () = sleep(Duration::from_secs(1)) => drop(client.take()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn stream_ends_in_last_fifth_of_token_life() {
    let manager = Manager::builder().build().unwrap();
    let start = Instant::now();
    let ends: Vec<_> = (0..50)
        .map(|_| tokio::spawn(end(greeted(&manager, caller("42", 10 * MINUTE)))))
        .collect();
    let mut seen = BTreeSet::new();
    for stream in ends {
        let (reason, at, mut client) = stream.await.unwrap();
        assert_eq!(reason, DisconnectReason::Expired);
        // Tokens expire by the clock of the system, which is not paused: a little time passes on
        // it, and more on a busy machine.
        let (after, slack) = (at - start, Duration::from_secs(60));
        assert!(
            after + slack >= 8 * MINUTE && after <= 10 * MINUTE,
            "{after:?}"
        );
        let farewell = json(client.take().last().unwrap());
        assert_eq!(farewell["event"], "auth_expired");
        assert_eq!(
            farewell["data"],
            serde_json::json!({ "reason": "expired", "reconnect": true })
        );
        seen.insert(after);
    }
    assert!(
        seen.len() > 5,
        "streams do not end together: {}",
        seen.len()
    );
    assert_eq!(manager.stats().counters.disconnected.get("expired"), 50);
}

#[tokio::test(start_paused = true)]
async fn renewed_stream_lives_as_long_as_the_new_token() {
    let manager = Manager::builder().build().unwrap();
    let start = Instant::now();
    let client = greeted(&manager, caller("42", 10 * MINUTE));
    let id = client.session.client_id();
    let stream = tokio::spawn(end(client));
    sleep(7 * MINUTE).await;
    manager.renew(id, &caller("42", 10 * MINUTE)).unwrap();
    let (reason, at, _) = stream.await.unwrap();
    assert_eq!(reason, DisconnectReason::Expired);
    assert!(
        at - start >= Duration::from_secs(14 * 60) && at - start <= 17 * MINUTE,
        "{:?}",
        at - start
    );

    let client = greeted(&manager, caller("42", 10 * MINUTE));
    manager
        .renew(
            client.session.client_id(),
            &Caller::user(UserId::new("42").unwrap()),
        )
        .unwrap();
    let stream = tokio::spawn(end(client));
    sleep(60 * MINUTE).await;
    assert!(!stream.is_finished(), "a token without an end ends nothing");
}

#[tokio::test(start_paused = true)]
async fn only_the_same_user_with_a_valid_token_can_renew() {
    let manager = Manager::builder().build().unwrap();
    let client = greeted(&manager, caller("42", MINUTE));
    let id = client.session.client_id();
    assert_eq!(
        manager.renew(id, &caller("43", MINUTE)),
        Err(RenewError::OtherUser)
    );
    assert_eq!(
        manager.renew(id, &Caller::anonymous()),
        Err(RenewError::OtherUser)
    );
    assert_eq!(
        manager.renew(id, &caller("42", Duration::ZERO)),
        Err(RenewError::Expired)
    );
    let anonymous = Client::greeted(&manager, Handshake::new());
    assert_eq!(
        manager.renew(anonymous.session.client_id(), &Caller::anonymous()),
        Err(RenewError::OtherUser)
    );
    drop(client);
    assert_eq!(
        manager.renew(id, &caller("42", MINUTE)),
        Err(RenewError::NotLive)
    );
}

#[tokio::test(start_paused = true)]
async fn expired_token_opens_no_stream() {
    let manager = Manager::builder().build().unwrap();
    let refused = manager
        .connect(Handshake::new().caller(caller("42", Duration::ZERO)))
        .unwrap_err();
    assert_eq!(refused.cause(), &ConnectErrorKind::Unauthenticated);
    assert_eq!(manager.stats().total_connections, 0);
}
