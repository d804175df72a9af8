//! Users: their listing, changes in the number of their streams, and bans.

use std::{collections::HashMap, time::Duration};

use proptest::{collection::vec, prelude::*};
use sse_core::{ConnectErrorKind, DisconnectOptions, Handshake, Manager, Session, Target, UserId};

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn listed(manager: &Manager, limit: usize) -> Vec<(String, usize)> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = manager.users(cursor, limit);
        assert!(page.users.len() <= limit);
        all.extend(
            page.users
                .into_iter()
                .map(|(user, count)| (user.as_str().to_owned(), count)),
        );
        cursor = page.next_cursor;
        if cursor.is_none() {
            all.sort_unstable();
            return all;
        }
    }
}

#[test]
fn watch_reports_changed_users_and_stream_counts() {
    let manager = Manager::builder().build().unwrap();
    let before = manager.connect(Handshake::new().user("ada")).unwrap();
    let mut watch = manager.watch_users();
    assert!(
        watch.take(10).unwrap().users.is_empty(),
        "earlier users are not reported"
    );

    let more = [(); 2].map(|()| manager.connect(Handshake::new().user("ada")).unwrap());
    let _anonymous = manager.connect(Handshake::new().topic("news")).unwrap();
    let changes = watch.take(10).unwrap();
    assert_eq!(changes.users, [(user("ada"), 3)]);
    assert_eq!(
        (
            changes.more,
            changes.missed,
            changes.streams,
            changes.unique_users
        ),
        (false, false, 4, 1)
    );

    drop((before, more));
    let gone = manager.connect(Handshake::new().user("ben")).unwrap();
    drop(gone);
    let first = watch.take(1).unwrap();
    assert!(first.more);
    let second = watch.take(1).unwrap();
    assert!(!second.more);
    let mut users = [first.users, second.users].concat();
    users.sort_unstable();
    assert_eq!(users, [(user("ada"), 0), (user("ben"), 0)]);
    assert_eq!((second.streams, second.unique_users), (1, 0));
}

#[test]
fn watch_is_bounded_and_reports_missed_changes() {
    const USERS: usize = (1 << 16) + 1;
    let manager = Manager::builder().max_connections(USERS).build().unwrap();
    let mut watch = manager.watch_users();
    let sessions: Vec<_> = (0..USERS)
        .map(|number| {
            manager
                .connect(Handshake::new().user(number.to_string()))
                .unwrap()
        })
        .collect();
    let changes = watch.take(usize::MAX).unwrap();
    assert_eq!((changes.users.len(), changes.missed), (USERS - 1, true));
    assert!(
        !watch.take(1).unwrap().missed,
        "missed changes are reported once"
    );
    drop(sessions);
}

#[test]
fn watch_does_not_keep_its_manager_alive() {
    let manager = Manager::builder().build().unwrap();
    let mut watch = manager.watch_users();
    drop(manager);
    assert_eq!(watch.take(1), None);
}

proptest! {
    #[test]
    fn watch_and_listing_match_the_real_users(steps in vec((0..6_usize, 0..8_usize), 0..60), limit in 1..5_usize) {
        let manager = Manager::builder().build().unwrap();
        let mut watch = manager.watch_users();
        let mut sessions: Vec<Session> = Vec::new();
        let mut known = HashMap::new();
        let take = |watch: &mut sse_core::connections::PresenceWatch, known: &mut HashMap<UserId, usize>| {
            let changes = watch.take(limit).unwrap();
            for (user, count) in changes.users {
                if count == 0 { known.remove(&user) } else { known.insert(user, count) };
            }
            changes.more
        };
        for (what, which) in steps {
            match what {
                0..=2 => sessions.push(manager.connect(Handshake::new().user(format!("u{which}"))).unwrap()),
                3 | 4 if !sessions.is_empty() => drop(sessions.swap_remove(which % sessions.len())),
                _ => { take(&mut watch, &mut known); }
            }
        }
        while take(&mut watch, &mut known) {}
        let mut truth: HashMap<UserId, usize> = HashMap::new();
        for session in &sessions {
            *truth.entry(session.user_id().unwrap().clone()).or_default() += 1;
        }
        let mut listing: Vec<_> = truth.iter().map(|(user, count)| (user.to_string(), *count)).collect();
        listing.sort_unstable();
        prop_assert_eq!(known, truth);
        prop_assert_eq!(listed(&manager, limit), listing);
    }
}

#[test]
fn streams_of_a_target_are_counted() {
    let manager = Manager::builder().build().unwrap();
    let stream = manager
        .connect(Handshake::new().user("ada").topic("news"))
        .unwrap();
    let id = stream.client_id();
    let topic = || Target::Topic("news".parse().unwrap());
    for target in [
        Target::All,
        Target::Client(id),
        Target::User(user("ada")),
        topic(),
    ] {
        assert_eq!(manager.count(&target), 1, "{target:?}");
    }
    assert_eq!(manager.count(&Target::User(user("ben"))), 0);
    drop(stream);
    for target in [
        Target::All,
        Target::Client(id),
        Target::User(user("ada")),
        topic(),
    ] {
        assert_eq!(manager.count(&target), 0, "{target:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn users_are_banned_without_a_disconnect_and_listed() {
    let manager = Manager::builder().build().unwrap();
    let _live = manager.connect(Handshake::new().user("ada")).unwrap();
    manager.ban(user("ada"), Duration::from_secs(60));
    assert_eq!(manager.count(&Target::User(user("ada"))), 1);
    let refused = manager.connect(Handshake::new().user("ada")).unwrap_err();
    assert_eq!(*refused.cause(), ConnectErrorKind::Banned);
    manager.ban(user("ada"), Duration::from_secs(1));
    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(
        manager.bans(),
        [(user("ada").into(), Duration::from_secs(40))]
    );
    tokio::time::advance(Duration::from_secs(40)).await;
    assert_eq!(manager.bans(), []);
    let _back = manager.connect(Handshake::new().user("ada")).unwrap();
}

#[tokio::test(start_paused = true)]
async fn shorter_ban_leaves_a_longer_one() {
    let manager = Manager::builder().build().unwrap();
    let (short, long) = (Duration::from_secs(1), Duration::from_secs(60));
    let kick = async |duration| {
        let how = DisconnectOptions::new().with_ban_for(duration);
        manager.disconnect(Target::User(user("ada")), how).await;
        manager.bans()
    };
    manager.ban(user("ada"), long);
    assert_eq!(kick(short).await, [(user("ada").into(), long)]);
    assert_eq!(kick(2 * long).await, [(user("ada").into(), 2 * long)]);
}

/// The position of a user in a listing changes with the user's second stream.
#[test]
fn listing_keeps_a_user_that_gets_a_second_stream() {
    let manager = Manager::builder().build().unwrap();
    let connect = |name: &str| manager.connect(Handshake::new().user(name)).unwrap();
    let mut sessions: Vec<_> = (0..10)
        .map(|number| connect(&format!("u{number}")))
        .collect();
    let first = manager.users(None, 3);
    sessions.extend((0..10).map(|number| connect(&format!("u{number}"))));
    let (mut found, mut cursor) = (first.users, first.next_cursor);
    while let Some(from) = cursor {
        let page = manager.users(Some(from), 3);
        found.extend(page.users);
        cursor = page.next_cursor;
    }
    for number in 0..10 {
        let wanted = user(&format!("u{number}"));
        let last = found
            .iter()
            .rfind(|(user, _)| *user == wanted)
            .map(|(_, count)| *count);
        assert_eq!(last, Some(2), "u{number} in {found:?}");
    }
    assert_eq!(manager.stats().unique_users, 10);
}
