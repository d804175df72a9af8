//! Scripts that the server executes atomically.

use redis::Cmd;

/// A script. The first key of each script that works on the log is the log's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    Info,
    Open,
    NewEpoch,
    Trim,
    Append,
    Rewind,
    LeasePut,
    LeaseList,
}

macro_rules! of_the_log {
    ($file:literal) => {
        concat!(include_str!("scripts/log.lua"), include_str!($file))
    };
}

/// Sources, in the order of [`Script`].
const SOURCES: [&str; 8] = [
    of_the_log!("scripts/info.lua"),
    of_the_log!("scripts/open.lua"),
    of_the_log!("scripts/new_epoch.lua"),
    of_the_log!("scripts/trim.lua"),
    of_the_log!("scripts/append.lua"),
    of_the_log!("scripts/rewind.lua"),
    include_str!("scripts/lease_put.lua"),
    include_str!("scripts/lease_list.lua"),
];

/// The names under which a server knows the scripts. They are digests, and therefore the same on
/// every server.
#[derive(Debug, Clone)]
pub(crate) struct Scripts(Vec<String>);

impl Scripts {
    /// Returns the commands that load the scripts, with one reply each.
    pub(crate) fn load() -> impl ExactSizeIterator<Item = Cmd> {
        SOURCES.iter().map(|source| {
            let mut command = redis::cmd("SCRIPT");
            command.arg("LOAD").arg(source);
            command
        })
    }

    /// Creates the names from the replies to [`Scripts::load`].
    pub(crate) fn new(names: Vec<String>) -> Self {
        debug_assert_eq!(names.len(), SOURCES.len());
        Self(names)
    }

    /// Returns a call of a script, to which arguments can be added.
    pub(crate) fn call(&self, script: Script, keys: &[&str]) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command
            .arg(&self.0[script as usize])
            .arg(keys.len())
            .arg(keys);
        command
    }
}
