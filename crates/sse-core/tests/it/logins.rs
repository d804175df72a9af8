//! Banned clients, and the sign-ins that identify them.

use std::time::Duration;

use sse_core::{
    Caller, ConnectErrorKind, DisconnectOptions, Handshake, LoginId, Manager, Target, UserId,
};

use crate::support::{Client, json};

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn signed_in(name: &str, login: u8) -> Caller {
    let mut caller = Caller::user(user(name));
    caller.login = Some(LoginId::from_bytes([login; 16]));
    caller
}

#[tokio::test(start_paused = true)]
async fn banned_client_is_recognised_by_its_login() {
    let manager = Manager::builder().build().unwrap();
    let connect = |caller: Caller| manager.connect(Handshake::new().caller(caller));
    let (kicked, tab) = (
        connect(signed_in("ada", 1)).unwrap(),
        connect(signed_in("ada", 1)).unwrap(),
    );
    let other = connect(signed_in("ada", 2)).unwrap();
    let logins: Vec<_> = [&kicked, &tab, &other]
        .map(|stream| {
            manager
                .connection(stream.client_id())
                .unwrap()
                .login_id
                .unwrap()
                .to_bytes()[0]
        })
        .into();
    assert_eq!(logins, [1, 1, 2]);

    let how = DisconnectOptions::new().with_ban_for(Duration::from_secs(60));
    assert_eq!(
        manager
            .disconnect(Target::Client(kicked.client_id()), how)
            .await,
        1
    );
    assert_eq!(
        manager.count(&Target::User(user("ada"))),
        2,
        "open streams stay"
    );
    let is_refused =
        |caller| connect(caller).is_err_and(|refused| *refused.cause() == ConnectErrorKind::Banned);
    assert!(is_refused(signed_in("ada", 1)));
    assert!(!is_refused(signed_in("ada", 2)) && !is_refused(Caller::user(user("ada"))));
    assert_eq!(
        manager.bans(),
        [(LoginId::from_bytes([1; 16]).into(), Duration::from_secs(60))]
    );
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(!is_refused(signed_in("ada", 1)));
}

#[tokio::test(start_paused = true)]
async fn ban_applies_to_the_login_of_the_renewal() {
    let manager = Manager::builder().build().unwrap();
    let connect = |caller: Caller| manager.connect(Handshake::new().caller(caller));
    let stream = connect(signed_in("ada", 1)).unwrap();
    manager
        .renew(stream.client_id(), &signed_in("ada", 2))
        .unwrap();
    let how = DisconnectOptions::new().with_ban_for(Duration::from_secs(60));
    manager
        .disconnect(Target::Client(stream.client_id()), how)
        .await;
    assert!(connect(signed_in("ada", 2)).is_err());
    assert!(connect(signed_in("ada", 1)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn kick_without_a_login_bans_nobody() {
    let manager = Manager::builder().build().unwrap();
    let mut client = Client::greeted(&manager, Handshake::new().user("ada"));
    let how = DisconnectOptions::new().with_ban_for(Duration::from_secs(60));
    assert_eq!(
        manager
            .disconnect(Target::Client(client.id()), how.clone())
            .await,
        1
    );
    let farewell = json(client.take().last().unwrap());
    assert_eq!(farewell["data"]["reconnect"], true, "{farewell}");
    assert_eq!(manager.bans(), []);
    assert!(manager.connect(Handshake::new().user("ada")).is_ok());
    // A reused index keeps no state of its earlier stream.
    let signed_in = manager
        .connect(Handshake::new().caller(signed_in("ada", 1)))
        .unwrap();
    drop(signed_in);
    let next = manager.connect(Handshake::new().user("ada")).unwrap();
    assert_eq!(manager.connection(next.client_id()).unwrap().login_id, None);
}
