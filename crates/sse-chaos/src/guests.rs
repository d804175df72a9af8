//! Additional streams next to those of the clients: forgers of ids, slow readers, and thousands of
//! newcomers at once.

use std::{net::SocketAddr, time::Duration};

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use serde_json::Value;
use sse_core::backplane::Cursor;
use sse_testkit::{RawClient, RawRequest};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{error::Error, seed::Seed, wait::LONG};

/// The behavior of guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// The guests connect again and again, with ids that the log cannot have assigned, and now and
    /// then with an id close to a real one.
    Forgers,
    /// Half of the guests read nothing, the others a byte a second.
    SlowReaders,
    /// The guests connect at one moment, and stay.
    Newcomers,
}

/// Guests, which disconnect in [`leave`](Self::leave) or when this is dropped.
pub(crate) struct Guests {
    sort: Sort,
    tasks: JoinSet<Result<u64, Error>>,
    stop: watch::Sender<bool>,
}

impl Guests {
    /// Starts `count` guests, which use these addresses in turn.
    pub(crate) fn start(sort: Sort, seed: Seed, addresses: &[SocketAddr], count: usize) -> Self {
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        for (index, address) in addresses.iter().copied().cycle().take(count).enumerate() {
            let (dice, stopped) = (seed.dice_of("guests", index as u64), stop.subscribe());
            match sort {
                Sort::Forgers => tasks.spawn(forge(address, dice, stopped)),
                Sort::SlowReaders => tasks.spawn({
                    let pace = if index % 2 == 0 {
                        Pace::Nothing
                    } else {
                        Pace::ByteASecond
                    };
                    read_slowly(address, pace, stopped)
                }),
                Sort::Newcomers => tasks.spawn(stay(address, stopped)),
            };
        }
        Self { sort, tasks, stop }
    }

    /// Makes the guests disconnect. Fails with the problem that a guest found, or if no guest was
    /// served.
    pub(crate) async fn leave(mut self) -> Result<(), Error> {
        self.stop.send_replace(true);
        let mut visits = 0;
        while let Some(end) = self.tasks.join_next().await {
            visits += end.map_err(|error| Error::new(format!("a guest panicked: {error}")))??;
        }
        if visits == 0 {
            return Err(Error::new(format!("no guest was served: {:?}", self.sort)));
        }
        println!("  {:?}: {visits} streams", self.sort);
        Ok(())
    }
}

/// Opens a stream, with as many attempts as necessary: nodes may be killed or restarting.
async fn open(address: SocketAddr, id: Option<&str>) -> Result<RawClient, Error> {
    let start = Instant::now();
    loop {
        let request = RawRequest::get(address, "/api/sse?user=guest&topics=t0");
        let request = id
            .iter()
            .fold(request, |request, id| request.header("Last-Event-ID", id));
        let opened = timeout(LONG, async {
            let mut stream = request.open().await?;
            let status = stream.head().await?.status;
            Ok::<_, sse_testkit::Error>((stream, status))
        });
        match opened.await {
            Ok(Ok((stream, 200))) => return Ok(stream),
            Ok(Ok((_, status))) if status != 503 => {
                return Err(Error::new(format!(
                    "guest with id {id:?} received status {status}"
                )));
            }
            _ if start.elapsed() > LONG => {
                return Err(Error::new(format!(
                    "guest with id {id:?} could not connect"
                )));
            }
            _ => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Returns the data of an event as JSON.
fn data(event: &sse_testkit::Decoded) -> Value {
    serde_json::from_str(&event.data).unwrap_or_default()
}

/// The plausibility of a forged id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forgery {
    Impossible,
    /// The id is close to a real one: a client with such an id is served the events that follow.
    Plausible,
}

fn forged(at: &Cursor, dice: &mut StdRng) -> (String, Forgery) {
    let (epoch, major, minor) = (&at.epoch, at.position.major(), at.position.minor());
    let impossible = [
        "x".to_owned(),
        "-".to_owned(),
        "-5".to_owned(),
        format!("{epoch}"),
        format!("{epoch}-"),
        format!("{epoch}--1"),
        format!("{epoch}-1e9"),
        format!("foreign-{minor}"),
        format!("{epoch}x-{minor}"),
        format!("{epoch}-{}.0.0", u64::MAX),
        Cursor::new(
            epoch.clone(),
            sse_core::backplane::Position::new(u64::MAX, u64::MAX),
        )
        .to_string(),
        Cursor::new(
            epoch.clone(),
            sse_core::backplane::Position::new(major + 1_000_000_000, minor),
        )
        .to_string(),
        format!("{epoch}-99999999999999999999999999"),
        "9".repeat(4000),
        "../../etc/passwd".to_owned(),
        "\u{e4}\u{f6}\u{1f600}".to_owned(),
    ];
    if dice.random_range(0..4) > 0 {
        return (
            impossible.choose(dice).cloned().unwrap_or_default(),
            Forgery::Impossible,
        );
    }
    let step = dice.random_range(1..4);
    let position = sse_core::backplane::Position::new(major, minor.saturating_sub(step));
    (
        Cursor::new(epoch.clone(), position).to_string(),
        Forgery::Plausible,
    )
}

async fn forge(
    address: SocketAddr,
    mut dice: StdRng,
    stop: watch::Receiver<bool>,
) -> Result<u64, Error> {
    let mut at = None;
    let mut visits = 0;
    while !*stop.borrow() {
        let forgery = at.as_ref().map(|at| forged(at, &mut dice));
        let id = forgery.as_ref().map(|(id, _)| id.as_str());
        let mut stream = open(address, id).await?;
        let kind = forgery.as_ref().map(|(_, kind)| *kind);
        // A node that is killed or restarted ends the stream; such a visit shows nothing.
        if let Some(connected) = greeted(&mut stream, id, kind).await? {
            at = Some(connected);
            visits += 1;
        }
        sleep(Duration::from_millis(dice.random_range(10..100))).await;
    }
    Ok(visits)
}

/// Reads `connection` and, for an impossible id, the gap. Returns the position up to which the
/// stream was served at that moment.
async fn greeted(
    stream: &mut RawClient,
    id: Option<&str>,
    forgery: Option<Forgery>,
) -> Result<Option<Cursor>, Error> {
    let (start, is_impossible) = (Instant::now(), forgery == Some(Forgery::Impossible));
    let wrong = |what: &str| Error::new(format!("guest with id {id:?}: {what}"));
    let Ok(hello) = stream.next_event_within(LONG).await else {
        return Ok(None);
    };
    if hello.event_type != "connection" {
        return Err(wrong(&format!("the first event is {}", hello.event_type)));
    }
    if is_impossible && data(&hello)["resumed"] != false {
        return Err(wrong(
            "the `connection` event says that the stream is resumed",
        ));
    }
    let mut position = hello.id.parse().ok();
    if !is_impossible {
        return Ok(position);
    }
    loop {
        let Ok(event) = stream.next_event_within(LONG).await else {
            return Ok(None);
        };
        let content = data(&event);
        position = event.id.parse().ok().or(position);
        match &*event.event_type {
            "system" if content["event"] == "gap" => return Ok(position),
            "number" => return Err(wrong("an event arrived before the gap")),
            _ if start.elapsed() > LONG => return Err(wrong("the stream sent no gap")),
            _ => {}
        }
    }
}

/// The pace of a slow reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Nothing,
    ByteASecond,
}

async fn read_slowly(
    address: SocketAddr,
    pace: Pace,
    mut stop: watch::Receiver<bool>,
) -> Result<u64, Error> {
    let mut visits = 0;
    while !*stop.borrow() {
        let request =
            RawRequest::get(address, "/api/sse?user=guest&topics=t0,t1,t2").receive_buffer(2048);
        let Ok(Ok(mut stream)) = timeout(LONG, request.open()).await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        visits += 1;
        let reading = async {
            if pace == Pace::Nothing {
                std::future::pending::<()>().await;
            }
            // Until the server closes the connection.
            while stream
                .trickle(1, Duration::from_secs(1))
                .await
                .is_ok_and(|bytes| bytes > 0)
            {}
        };
        tokio::select! { () = reading => {}, _ = stop.wait_for(|stops| *stops) => {} }
    }
    Ok(visits)
}

async fn stay(address: SocketAddr, mut stop: watch::Receiver<bool>) -> Result<u64, Error> {
    let mut stream = open(address, None).await?;
    let hello = stream.next_event_within(LONG).await;
    if !hello
        .as_ref()
        .is_ok_and(|hello| hello.event_type == "connection")
    {
        return Err(Error::new(format!(
            "the first event of a newcomer was {hello:?}"
        )));
    }
    // Reads on, as a client does.
    let reading = async { while stream.next_bytes().await.is_ok_and(|bytes| bytes.is_some()) {} };
    tokio::select! { () = reading => {}, _ = stop.wait_for(|stops| *stops) => {} }
    Ok(1)
}
