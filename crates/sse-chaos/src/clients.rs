//! All clients of a run: those of this crate and those of browsers.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use rand::RngExt;
use sse_core::backplane::Cursor;

use crate::{
    client::{Client, request::ClientRequest, state::Phase},
    error::Error,
    journal::Journal,
    node_clients::{BrowserClient, Browsers},
    oracle::subscriber::Subscriber,
    population::{self, Population},
    seed::Seed,
};

/// Delays of a client between attempts: the longest one after a first failure, and the longest of
/// all.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// Timeout for the head of a response. Paused nodes accept connections without a response.
const HEAD: Duration = Duration::from_secs(10);

/// All clients, in the order of the population's members. The clients that browsers run come last.
pub(crate) struct Clients {
    population: Arc<Population>,
    clients: Vec<Client>,
    browsers: Option<Browsers>,
}

impl Clients {
    /// Begins to connect all members to a balancer, the last `count` of them with a browser's
    /// client.
    pub(crate) async fn start(
        seed: Seed,
        population: Arc<Population>,
        address: SocketAddr,
        (browser, count): (BrowserClient, usize),
        folder: &Path,
    ) -> Result<Self, Error> {
        let members = &population.members;
        let (ours, theirs) =
            members.split_at(members.len().saturating_sub(count.min(browser.most())));
        let start = |(index, member): (usize, &Subscriber)| {
            let seed = seed.dice_of("clients", index as u64).random();
            let request =
                ClientRequest::get(address, population::path(member)).backoff(BACKOFF.0, BACKOFF.1);
            request.connect_timeout(HEAD).seed(seed).start()
        };
        let clients = ours.iter().enumerate().map(start).collect();
        let browsers = match theirs {
            [] => None,
            _ => {
                let url = format!("http://{address}/api/sse");
                Some(Browsers::start(browser, &url, theirs, folder).await?)
            }
        };
        Ok(Self {
            population,
            clients,
            browsers,
        })
    }

    /// Returns the number of clients that have not been served up to a position. `None` stands for
    /// any position.
    pub(crate) fn lagging(&self, position: Option<&Cursor>) -> usize {
        let ours = self
            .clients
            .iter()
            .map(|client| client.status().last_event_id.parse().ok());
        let theirs = self.browsers.iter().flat_map(Browsers::positions);
        ours.chain(theirs)
            .filter(|have: &Option<Cursor>| !is_served(have.as_ref(), position))
            .count()
    }

    /// Returns the reason if a wait for the clients is pointless.
    pub(crate) fn problem(&mut self) -> Result<Option<Error>, Error> {
        let stopped = self
            .clients
            .iter()
            .find_map(|client| match client.status().phase {
                Phase::Stopped(why) => Some(Error::new(format!("a client gave up: {why:?}"))),
                _ => None,
            });
        if stopped.is_some() {
            return Ok(stopped);
        }
        self.browsers.as_mut().map_or(Ok(None), Browsers::problem)
    }

    /// Stops all clients. Returns the claims of each client (see [`Subscriber`]) and its journal.
    pub(crate) async fn stop(self) -> Result<Vec<(Subscriber, Journal)>, Error> {
        let mut journals = Vec::with_capacity(self.population.members.len());
        for client in self.clients {
            journals.push(client.stop().await);
        }
        if let Some(browsers) = self.browsers {
            journals.extend(browsers.stop().await?);
        }
        Ok(self
            .population
            .members
            .iter()
            .cloned()
            .zip(journals)
            .collect())
    }
}

/// Returns `true` if a client at position `have` has been served up to position `target`.
fn is_served(have: Option<&Cursor>, target: Option<&Cursor>) -> bool {
    match (have, target) {
        (Some(have), Some(target)) => {
            have.epoch == target.epoch && have.position >= target.position
        }
        (have, None) => have.is_some(),
        (None, Some(_)) => false,
    }
}
