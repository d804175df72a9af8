//! What the server does in one step.

use redis::Cmd;

/// A script. Those of the log have its key for their first.
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

/// In the order of [`Script`].
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

/// The names under which a server knows the scripts. They are the same everywhere, since they are
/// digests.
#[derive(Debug, Clone)]
pub(crate) struct Scripts(Vec<String>);

impl Scripts {
    /// Commands that load them, one answer each.
    pub(crate) fn load() -> impl ExactSizeIterator<Item = Cmd> {
        SOURCES.iter().map(|source| {
            let mut command = redis::cmd("SCRIPT");
            command.arg("LOAD").arg(source);
            command
        })
    }

    /// From the answers to [`Scripts::load`].
    pub(crate) fn new(names: Vec<String>) -> Self {
        debug_assert_eq!(names.len(), SOURCES.len());
        Self(names)
    }

    /// A call, to which arguments are added.
    pub(crate) fn call(&self, script: Script, keys: &[&str]) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command
            .arg(&self.0[script as usize])
            .arg(keys.len())
            .arg(keys);
        command
    }
}
