//! All parts together: real nodes, whose streams fail in each way, and no event is lost.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use sse_chaos::{
    Client, ClientRequest, Departure, FaultPeriod, GapReason, Journal, Oracle, Publication,
    Subscriber,
};
use sse_core::{
    Event, Manager, Retention, Target, Topic, UserId,
    access::AllowAll,
    backplane::{Backplane, MemoryBackplane},
};
use sse_testkit::Proxy;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower::service_fn;

use crate::server::until;
use crate::story::{topic, user};

const CLIENTS: usize = 30;
const USERS: usize = 5;

/// Two nodes on one log, and a balancer in front of them.
struct Cluster {
    nodes: Vec<Manager>,
    proxy: Proxy,
    published: Vec<Publication>,
    faults: Vec<FaultPeriod>,
    _servers: JoinSet<()>,
}

/// Clients, and the claims of each.
struct Clients(Vec<(Subscriber, Client)>);

async fn serve(manager: Manager, servers: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = service_fn({
        let manager = manager.clone();
        move |request: hyper::Request<hyper::body::Incoming>| {
            let (parts, _) = request.into_parts();
            let name = parts
                .headers
                .get("x-user")
                .and_then(|name| name.to_str().ok())
                .unwrap_or("nobody");
            let handshake = sse_hyper::handshake(&parts).user(UserId::new(name).unwrap());
            let response = match manager.connect(handshake) {
                Ok(session) => sse_hyper::response(session),
                Err(refused) => sse_hyper::rejection(&refused),
            };
            async { Ok::<_, Infallible>(response) }
        }
    });
    servers.spawn(async move {
        sse_hyper::serve(listener, service)
            .manager(&manager)
            .await
            .unwrap();
    });
    address
}

impl Cluster {
    async fn start(retention: usize) -> Self {
        let log = MemoryBackplane::new(Retention::default().entries(retention));
        let (mut nodes, mut addresses, mut servers) = (Vec::new(), Vec::new(), JoinSet::new());
        for _ in 0..2 {
            let manager = Manager::builder()
                .backplane(log.clone())
                .access(AllowAll)
                .log(Retention::default().entries(retention))
                .retry(Duration::from_millis(100))
                .heartbeat_interval(Duration::from_secs(1))
                .build()
                .unwrap();
            manager.follow();
            addresses.push(serve(manager.clone(), &mut servers).await);
            nodes.push(manager);
        }
        log.bounds().await.unwrap();
        let proxy = Proxy::balance(addresses).await.unwrap();
        Self {
            nodes,
            proxy,
            published: Vec::new(),
            faults: Vec::new(),
            _servers: servers,
        }
    }

    async fn publish(&mut self, count: usize) {
        for _ in 0..count {
            let number = self.published.len();
            let target = match number % 4 {
                0 => Target::All,
                1 => topic("news"),
                2 => topic("sports"),
                _ => user(&format!("user {}", number / 4 % USERS)),
            };
            let mut publication = Publication::new(number as u64, target.clone());
            let node = self.nodes[number % 2].clone();
            let receipt = node
                .to(target)
                .publish(Event::text(number.to_string()))
                .await
                .unwrap();
            publication.acknowledge(receipt.id.unwrap().as_str().parse().unwrap());
            self.published.push(publication);
        }
    }

    /// Publishes before, during, and after a fault.
    async fn suffer(&mut self, name: &str, begin: impl FnOnce(&Proxy), end: impl FnOnce(&Proxy)) {
        self.publish(20).await;
        let began = Instant::now();
        begin(&self.proxy);
        self.publish(20).await;
        sleep(Duration::from_millis(200)).await;
        end(&self.proxy);
        self.faults.push(FaultPeriod {
            name: name.to_owned(),
            began,
            ended: Instant::now(),
        });
        self.publish(20).await;
    }
}

impl Clients {
    async fn gather(address: SocketAddr) -> Self {
        let clients = Self(
            (0..CLIENTS)
                .map(|number| Self::member(address, number))
                .collect(),
        );
        for (_, client) in &clients.0 {
            until("a stream", || client.status().connects > 0).await;
        }
        clients
    }

    fn member(address: SocketAddr, number: usize) -> (Subscriber, Client) {
        let name = format!("user {}", number % USERS);
        let topics = ["news", "sports"].into_iter().take(number % 3);
        let path = format!("/?topics={}", topics.clone().collect::<Vec<_>>().join(","));
        let topics = topics.map(|name| Topic::new(name).unwrap()).collect();
        let client = ClientRequest::get(address, path)
            .header("X-User", &name)
            .backoff(Duration::from_millis(100), Duration::from_millis(500))
            .connect_timeout(Duration::from_secs(5))
            .seed(number as u64)
            .start();
        (
            Subscriber {
                user: Some(UserId::new(name).unwrap()),
                topics,
                left_early: false,
            },
            client,
        )
    }

    /// Waits until each client has the last event, which is for all.
    async fn end(self, last: &str) -> Vec<(Subscriber, Journal)> {
        let mut all = Vec::new();
        for (subscriber, client) in self.0 {
            until("the last event", || client.status().last_event_id == last).await;
            all.push((subscriber, client.stop().await));
        }
        all
    }
}

fn id_of_the_last(published: &[Publication]) -> String {
    let last = published.last().unwrap();
    assert_eq!(last.target, Target::All);
    last.acknowledged.as_ref().unwrap().id.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_network_loses_nothing() {
    let mut cluster = Cluster::start(10_000).await;
    let clients = Clients::gather(cluster.proxy.address()).await;
    cluster.suffer("a cut", Proxy::cut, |_| ()).await;
    cluster.suffer("ice", Proxy::freeze, Proxy::thaw).await;
    cluster
        .suffer("a node cut off", |proxy| proxy.cut_upstream(1), |_| ())
        .await;
    cluster
        .suffer(
            "a frozen node",
            |proxy| proxy.freeze_upstream(0),
            |proxy| proxy.thaw_upstream(0),
        )
        .await;
    let refuse = |proxy: &Proxy| {
        proxy.refuse();
        proxy.cut();
    };
    cluster
        .suffer("a closed port", refuse, |proxy| proxy.accept().unwrap())
        .await;
    cluster
        .suffer("connections without an end", Proxy::black_hole, |_| ())
        .await;
    for (client, departure) in clients.0.iter().zip(
        [Departure::Close, Departure::Reset, Departure::Vanish]
            .into_iter()
            .cycle(),
    ) {
        client.1.pause(departure);
    }
    cluster.publish(20).await;
    clients.0.iter().for_each(|(_, client)| client.unpause());
    cluster.publish(21).await;
    let last = id_of_the_last(&cluster.published);
    let clients = clients.end(&last).await;
    let oracle = Oracle::new(cluster.published)
        .unwrap()
        .faults(cluster.faults);
    let judgment = oracle.judge(
        clients
            .iter()
            .map(|(subscriber, journal)| (subscriber, journal)),
    );
    assert!(judgment.is_clean(), "{judgment:#?}");
    assert_eq!(
        (judgment.never_connected, judgment.gave_up, judgment.covered),
        (0, 0, 0),
        "{judgment:#?}"
    );
    assert_eq!((judgment.published, judgment.acknowledged), (401, 401));
    // For all, 2 of 3 clients have the first topic, 1 of 3 the second, and each user is 6 clients.
    assert_eq!(
        judgment.due,
        (101 * 30 + 100 * 20 + 100 * 10 + 100 * 6) as u64
    );
    assert_eq!(judgment.delivered, judgment.due);
    assert!(
        judgment.connects >= 3 * CLIENTS as u64 && judgment.resumed > 0,
        "{judgment:#?}"
    );
    assert_eq!(judgment.recoveries.len(), 6);
    let recovered = |name: &str| {
        let recovery = judgment
            .recoveries
            .iter()
            .find(|it| it.name == name)
            .unwrap();
        assert_eq!(recovery.recovered + recovery.without, CLIENTS as u64);
        assert!(
            recovery.p50 <= recovery.p99 && recovery.p99 <= recovery.max,
            "{recovery:?}"
        );
        recovery.recovered
    };
    assert!(
        recovered("connections without an end") > 0,
        "{:#?}",
        judgment.recoveries
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trimmed_events_are_covered_by_gaps() {
    let mut cluster = Cluster::start(10).await;
    let clients = Clients::gather(cluster.proxy.address()).await;
    cluster.publish(1).await;
    let first = id_of_the_last(&cluster.published);
    for (_, client) in &clients.0 {
        until("the first event", || client.status().last_event_id == first).await;
        client.pause(Departure::Reset);
    }
    cluster.publish(100).await;
    clients.0.iter().for_each(|(_, client)| client.unpause());
    let last = id_of_the_last(&cluster.published);
    let clients = clients.end(&last).await;
    let judged = || {
        clients
            .iter()
            .map(|(subscriber, journal)| (subscriber, journal))
    };
    let judgment = Oracle::new(cluster.published.clone())
        .unwrap()
        .judge(judged());
    assert!(judgment.is_clean(), "{judgment:#?}");
    assert_eq!(
        judgment.gaps.of(GapReason::Trimmed),
        CLIENTS as u64,
        "{judgment:#?}"
    );
    assert!(
        judgment.covered > 0 && judgment.delivered + judgment.covered == judgment.due,
        "{judgment:#?}"
    );
    // The same deliveries are misdirected if every event is for another user.
    cluster
        .published
        .iter_mut()
        .for_each(|it| it.target = user("somebody else"));
    let judgment = Oracle::new(cluster.published).unwrap().judge(judged());
    assert!(
        judgment.misdirected > 0 && judgment.due == 0,
        "{judgment:#?}"
    );
}
