//! The users of all streams, and their topics.

use rand::{RngExt, seq::IndexedRandom};
use sse_core::{Target, Topic, UserId};

use crate::{error::Error, oracle::subscriber::Subscriber, seed::Seed};

/// Average number of streams of one user.
const STREAMS_OF_ONE: usize = 8;

/// Maximum number of topics of one stream.
const TOPICS_OF_ONE: usize = 3;

/// All names that events may be targeted at, and the clients that have them.
pub(crate) struct Population {
    users: Vec<UserId>,
    topics: Vec<Topic>,
    /// Claims of each client.
    pub(crate) members: Vec<Subscriber>,
}

impl Population {
    /// Creates the population for a number of clients.
    pub(crate) fn new(seed: Seed, clients: usize) -> Result<Self, Error> {
        let users = names("u", clients / STREAMS_OF_ONE + 1, UserId::new)?;
        let topics = names("t", clients / 100 + 5, Topic::new)?;
        let member = |index: usize| {
            let mut dice = seed.dice_of("members", index as u64);
            let count = dice.random_range(0..=TOPICS_OF_ONE);
            Subscriber {
                user: users.choose(&mut dice).cloned(),
                topics: topics.sample(&mut dice, count).cloned().collect(),
                ..Subscriber::default()
            }
        };
        let members = (0..clients).map(member).collect();
        Ok(Self {
            users,
            topics,
            members,
        })
    }

    /// Returns the target of the event with a number.
    pub(crate) fn target(&self, seed: Seed, number: u64) -> Target {
        let mut dice = seed.dice_of("targets", number);
        let target = match dice.random_range(0..10) {
            0 => None,
            1..=4 => self.topics.choose(&mut dice).cloned().map(Target::Topic),
            _ => self.users.choose(&mut dice).cloned().map(Target::User),
        };
        target.unwrap_or(Target::All)
    }
}

/// Returns the path of a subscriber's stream.
pub(crate) fn path(subscriber: &Subscriber) -> String {
    let user = subscriber.user.as_ref().map_or("", UserId::as_str);
    format!(
        "/api/sse?user={user}&topics={}",
        topics(subscriber).join(",")
    )
}

/// Returns a subscriber's topics as texts.
pub(crate) fn topics(subscriber: &Subscriber) -> Vec<&str> {
    subscriber.topics.iter().map(Topic::as_str).collect()
}

fn names<T, E: ToString>(
    start: &str,
    count: usize,
    name: impl Fn(String) -> Result<T, E>,
) -> Result<Vec<T>, Error> {
    let names = (0..count).map(|index| name(format!("{start}{index}")));
    names
        .collect::<Result<_, _>>()
        .map_err(|error| Error::new(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn population_covers_all_kinds_of_targets() {
        let seed = Seed::new(7);
        let population = Population::new(seed, 400).unwrap();
        let of_first = |member: &&Subscriber| member.user == population.members[0].user;
        assert!(population.members.iter().filter(of_first).count() > 1);
        assert!(
            population
                .members
                .iter()
                .any(|member| member.topics.len() > 1)
        );
        let targets: Vec<_> = (0..100)
            .map(|number| population.target(seed, number))
            .collect();
        assert!(targets.contains(&Target::All));
        assert!(
            targets
                .iter()
                .any(|target| matches!(target, Target::User(_)))
        );
        assert!(
            targets
                .iter()
                .any(|target| matches!(target, Target::Topic(_)))
        );
        assert_eq!(population.target(seed, 3), targets[3]);
    }

    #[test]
    fn a_path_names_user_and_topics() {
        let topic = |name: &str| Topic::new(name.to_owned()).unwrap();
        let user = Some(UserId::new("u1".to_owned()).unwrap());
        let topics = vec![topic("t1"), topic("t2")];
        let subscriber = Subscriber {
            user,
            topics,
            ..Subscriber::default()
        };
        assert_eq!(path(&subscriber), "/api/sse?user=u1&topics=t1,t2");
    }
}
