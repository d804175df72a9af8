//! Tickets: one use, and a short lifetime.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, json};
use sse_auth::{
    AuthError, Authenticator as _, Credential, Identity, ManualClock, RequestView, Ticket,
    TicketError, Tickets, TicketsBuilder,
};

use crate::support::{NOW, accepted, refused};

fn ada() -> Identity {
    let claims: Map<_, _> = [("role".to_owned(), json!("admin"))].into_iter().collect();
    Identity::new("ada", Credential::Bearer)
        .claims(claims)
        .expires_at(NOW + 3600)
}

fn builder() -> (TicketsBuilder, ManualClock) {
    let clock = ManualClock::at(NOW);
    (Tickets::builder().clock(clock.clone()), clock)
}

fn tickets() -> (Tickets, ManualClock) {
    let (builder, clock) = builder();
    (builder.build(), clock)
}

async fn present(tickets: &Tickets, query: &str) -> Result<Option<Identity>, AuthError> {
    tickets
        .authenticate(&RequestView::new("GET").query(query))
        .await
}

async fn present_one(tickets: &Tickets, ticket: &Ticket) -> Result<Option<Identity>, AuthError> {
    present(tickets, &format!("topics=a&ticket={}", ticket.as_str())).await
}

#[tokio::test]
async fn ticket_identifies_its_user_once() {
    let (tickets, _) = tickets();
    let ticket = tickets.issue(&ada()).unwrap();
    assert_eq!(
        (ticket.as_str().len(), ticket.lifetime()),
        (43, Duration::from_secs(30))
    );
    let identity = present_one(&tickets, &ticket).await.unwrap().unwrap();
    let mut expected = ada();
    expected.credential = Credential::Ticket;
    assert_eq!(identity, expected);
    assert_eq!(
        refused(present_one(&tickets, &ticket).await),
        "UnknownTicket"
    );
}

#[tokio::test]
async fn ticket_has_the_login_of_its_requester() {
    let (tickets, _) = tickets();
    let login = async |identity: &Identity| {
        let ticket = tickets.issue(identity).unwrap();
        present_one(&tickets, &ticket).await.unwrap().unwrap().login
    };
    let laptop = ada().login("laptop");
    assert_eq!(login(&laptop).await, laptop.login);
    assert_eq!(login(&ada()).await, None);
    // A backend that vouches for a user passes the sign-in in the claims.
    for (claim, text) in [("sid", "laptop"), ("jti", "laptop")] {
        let claims: Map<_, _> = [(claim.to_owned(), json!(text))].into_iter().collect();
        assert_eq!(login(&ada().claims(claims.clone())).await, laptop.login);
        assert_eq!(
            login(&ada().claims(claims).login("phone")).await,
            ada().login("phone").login
        );
    }
}

#[tokio::test]
async fn ticket_admits_one_of_many_concurrent_callers() {
    let (tickets, _) = tickets();
    let ticket = Arc::new(tickets.issue(&ada()).unwrap());
    let racers = (0..8).map(|_| {
        let (tickets, ticket) = (tickets.clone(), ticket.clone());
        std::thread::spawn(move || tickets.take(ticket.as_str()).is_ok())
    });
    let won: Vec<_> = racers
        .collect::<Vec<_>>()
        .into_iter()
        .map(|racer| racer.join().unwrap())
        .collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
}

#[tokio::test]
async fn ticket_expires() {
    let (tickets, clock) = tickets();
    let [early, late] = [(); 2].map(|()| tickets.issue(&ada()).unwrap());
    clock.advance(Duration::from_millis(29_999));
    assert_eq!(accepted(present_one(&tickets, &early).await).0, "ada");
    clock.advance(Duration::from_millis(1));
    assert_eq!(
        refused(present_one(&tickets, &late).await),
        format!("Expired {{ at: {} }}", NOW + 30)
    );
    assert_eq!(refused(present_one(&tickets, &late).await), "UnknownTicket");
}

#[tokio::test]
async fn ticket_ends_with_its_credentials() {
    let (tickets, clock) = tickets();
    let ticket = tickets.issue(&ada().expires_at(NOW + 10)).unwrap();
    clock.advance(Duration::from_secs(10));
    assert_eq!(
        refused(present_one(&tickets, &ticket).await),
        format!("Expired {{ at: {} }}", NOW + 10)
    );
    assert_eq!(
        tickets.issue(&ada().expires_at(NOW + 10)).unwrap_err(),
        TicketError::Expired
    );
}

#[tokio::test]
async fn only_users_with_own_credentials_receive_tickets() {
    let (tickets, _) = tickets();
    assert_eq!(
        tickets
            .issue(&Identity::without_user(Credential::Bearer))
            .unwrap_err(),
        TicketError::NoUser
    );
    let ticket = tickets.issue(&ada()).unwrap();
    let by_ticket = present_one(&tickets, &ticket).await.unwrap().unwrap();
    assert_eq!(
        tickets.issue(&by_ticket).unwrap_err(),
        TicketError::ByTicket
    );
}

#[tokio::test]
async fn unknown_tickets_are_rejected() {
    let (tickets, _) = tickets();
    let ticket = tickets.issue(&ada()).unwrap();
    let text = ticket.as_str();
    for query in [
        "ticket=".to_owned(),
        "ticket".to_owned(),
        format!("ticket={}", &text[1..]),
        format!("ticket={text}A"),
        format!("ticket={text}%00"),
        format!("ticket={text}%20"),
        format!("ticket={}", "A".repeat(100_000)),
        "ticket=%ff%fe".to_owned(),
    ] {
        assert_eq!(refused(present(&tickets, &query).await), "UnknownTicket");
    }
    assert_eq!(
        refused(present(&tickets, "ticket=a&ticket=b&ticket=c&ticket=d&ticket=e").await),
        "TooMany { limit: 4 }"
    );
    for query in ["", "tickets=x", "Ticket=x"] {
        assert!(present(&tickets, query).await.unwrap().is_none(), "{query}");
    }
    // No earlier request used up the ticket. The name of the parameter can be escaped.
    assert_eq!(
        accepted(present(&tickets, &format!("%74icket={text}")).await).0,
        "ada"
    );
}

#[tokio::test]
async fn position_of_tickets_does_not_matter() {
    let (tickets, _) = tickets();
    let issue = |user: &str| {
        tickets
            .issue(&Identity::new(user, Credential::Bearer))
            .unwrap()
            .as_str()
            .to_owned()
    };
    for query in [
        "ticket=x&ticket=GOOD",
        "ticket=GOOD&ticket=x",
        "ticket=&a=b&ticket=GOOD&ticket=GOOD",
    ] {
        let query = query.replace("GOOD", &issue("ada"));
        assert_eq!(
            accepted(present(&tickets, &query).await).0,
            "ada",
            "{query}"
        );
    }
    let query = format!("ticket={}&ticket={}", issue("ada"), issue("bob"));
    assert_eq!(refused(present(&tickets, &query).await), "Ambiguous");
}

#[tokio::test]
async fn newest_ticket_replaces_the_oldest_of_a_user() {
    let tickets = builder().0.per_user(2).build();
    let [first, second, third] = [(); 3].map(|()| tickets.issue(&ada()).unwrap());
    let other = tickets
        .issue(&Identity::new("bob", Credential::Cookie))
        .unwrap();
    assert_eq!(
        refused(present_one(&tickets, &first).await),
        "UnknownTicket"
    );
    for ticket in [&second, &third] {
        assert_eq!(accepted(present_one(&tickets, ticket).await).0, "ada");
    }
    assert_eq!(accepted(present_one(&tickets, &other).await).0, "bob");
}

#[tokio::test]
async fn user_cannot_evict_tickets_of_others() {
    let tickets = builder().0.per_user(2).capacity(4).build();
    for _ in 0..1000 {
        tickets.issue(&ada()).unwrap();
    }
    for user in ["bob", "eve"] {
        let ticket = tickets
            .issue(&Identity::new(user, Credential::Bearer))
            .unwrap();
        assert_eq!(accepted(present_one(&tickets, &ticket).await).0, user);
    }
    assert_eq!(format!("{tickets:?}"), "Tickets { unused: 2, .. }");
}

#[tokio::test]
async fn number_of_tickets_is_bounded() {
    let (builder, clock) = builder();
    let tickets = builder.capacity(3).build();
    let of = |n: u32| Identity::new(n.to_string(), Credential::Bearer);
    for n in 0..3 {
        tickets.issue(&of(n)).unwrap();
    }
    assert_eq!(
        tickets.issue(&of(3)).unwrap_err(),
        TicketError::Full { limit: 3 }
    );
    clock.advance(Duration::from_secs(30));
    let ticket = tickets.issue(&of(4)).unwrap();
    assert_eq!(accepted(present_one(&tickets, &ticket).await).0, "4");
    assert_eq!(format!("{tickets:?}"), "Tickets { unused: 0, .. }");
}

#[test]
fn tickets_differ() {
    let tickets = Tickets::new();
    let all: std::collections::HashSet<_> = (0..100)
        .map(|n: u32| {
            tickets
                .issue(&Identity::new(n.to_string(), Credential::Other))
                .unwrap()
                .as_str()
                .to_owned()
        })
        .collect();
    assert_eq!(all.len(), 100);
}
