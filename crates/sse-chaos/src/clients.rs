//! All clients: those made for this, and browsers'.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use rand::RngExt;
use sse_core::Cursor;

use crate::{
    client::{Client, request::ClientRequest, state::Phase},
    error::Error,
    journal::Journal,
    node_clients::{BrowserClient, Browsers},
    oracle::subscriber::Subscriber,
    population::{self, Population},
    seed::Seed,
};

/// The waits of a client between attempts: for the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// How long a client waits for the head of an answer. Nodes that are paused take connections, and
/// say nothing.
const HEAD: Duration = Duration::from_secs(10);

/// All clients, in the order of the population's members: the browsers' are the last.
pub(crate) struct Clients {
    population: Arc<Population>,
    clients: Vec<Client>,
    browsers: Option<Browsers>,
}

impl Clients {
    /// Begins to connect all members to a balancer; the last `count` of them with a browser's
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

    /// How many have not been served up to a position; `None` stands for any.
    pub(crate) fn behind(&self, position: Option<&Cursor>) -> usize {
        let ours = self
            .clients
            .iter()
            .map(|client| client.status().last_event_id.parse().ok());
        let theirs = self.browsers.iter().flat_map(Browsers::positions);
        ours.chain(theirs)
            .filter(|have: &Option<Cursor>| !is_served(have.as_ref(), position))
            .count()
    }

    /// Why it is pointless to wait for them.
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

    /// Ends all; gives who should have got what, and what each heard.
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

/// Whether somebody who was served up to a position has had all that there is up to another.
fn is_served(have: Option<&Cursor>, wanted: Option<&Cursor>) -> bool {
    match (have, wanted) {
        (Some(have), Some(wanted)) => {
            have.epoch == wanted.epoch && have.position >= wanted.position
        }
        (have, None) => have.is_some(),
        (None, Some(_)) => false,
    }
}
