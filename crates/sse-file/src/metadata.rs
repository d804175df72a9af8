//! Facts about a log, stored separately from its entries: the file `META`.

use std::path::Path;

use sse_core::backplane::Epoch;

use crate::{
    config::SyncPolicy,
    error::Damage,
    record::Seal,
    runs::{Run, Runs},
};

pub(crate) const META: &str = "META";

const FIRST_LINE: &str = "sse-file 2";

/// The first line of logs from before openings and ends were recorded.
const OLD_FIRST_LINE: &str = "sse-file 1";

/// The identity of a log, and the state in which its last user left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Identifies the segments of the log. Unlike the epoch, the seal is not known outside.
    pub(crate) seal: Seal,
    pub(crate) epoch: Epoch,
    /// Identifier of the boot of the machine, as reported by the operating system.
    pub(crate) boot: Option<String>,
    pub(crate) left: Left,
    /// The number in the name of the newest segment; zero if unknown.
    pub(crate) newest: u64,
    /// The number of the last entry of a log that was closed.
    pub(crate) end: Option<u64>,
    pub(crate) runs: Runs,
}

/// The state in which a log was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Closed, with everything synced.
    Closed,
    /// Open, with every acknowledged entry synced.
    Synced,
    /// Open, with acknowledged entries that may not be synced.
    Unsynced,
}

impl Left {
    /// Returns the state of a log that is open now.
    pub(crate) fn open(sync: SyncPolicy) -> Self {
        match sync {
            SyncPolicy::EveryBatch => Self::Synced,
            SyncPolicy::Interval(_) | SyncPolicy::Never => Self::Unsynced,
        }
    }

    const ALL: [(Self, &'static str); 3] = [
        (Self::Closed, "closed"),
        (Self::Synced, "synced"),
        (Self::Unsynced, "unsynced"),
    ];

    fn word(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(left, _)| *left == self)
            .map_or("", |(_, word)| word)
    }
}

impl Meta {
    /// Creates the metadata of a new log.
    pub(crate) fn new(sync: SyncPolicy) -> Self {
        Self {
            seal: Seal(rand::random()),
            epoch: Epoch::random(),
            boot: boot(),
            left: Left::open(sync),
            newest: 1,
            end: None,
            runs: Runs::new(),
        }
    }

    /// Returns `true` if the machine may have crashed before acknowledged entries were synced.
    pub(crate) fn may_have_lost(&self) -> bool {
        self.left == Left::Unsynced && (self.boot.is_none() || self.boot != boot())
    }

    pub(crate) fn to_text(&self) -> String {
        let boot = self.boot.as_deref().unwrap_or("-");
        let (log, epoch, left, newest) = (self.seal.0, &self.epoch, self.left.word(), self.newest);
        let end = self.end.map_or("-".to_owned(), |end| end.to_string());
        let mut text = format!(
            "{FIRST_LINE}\nlog {log:016x}\nepoch {epoch}\nboot {boot}\nleft {left}\nnewest {newest}\nend {end}\n"
        );
        for Run {
            first,
            mark,
            after_loss,
        } in self.runs.iter()
        {
            text.push_str(&format!(
                "run {first} {mark} {}\n",
                if after_loss { "lost" } else { "-" }
            ));
        }
        let checksum = crc32c::crc32c(text.as_bytes());
        format!("{text}crc {checksum:08x}\n")
    }

    pub(crate) fn parse(text: &[u8], path: &Path) -> Result<Self, Damage> {
        let damaged = |what| Damage {
            file: path.to_owned(),
            offset: 0,
            what,
        };
        let text = str::from_utf8(text).map_err(|_| damaged("the file is not UTF-8 text"))?;
        if !text.starts_with("sse-file ") {
            return Err(damaged("the file is not the META file of a log"));
        }
        if !text
            .lines()
            .next()
            .is_some_and(|line| [FIRST_LINE, OLD_FIRST_LINE].contains(&line))
        {
            return Err(damaged(
                "the file was written by another version of this library",
            ));
        }
        Self::read(text).ok_or_else(|| damaged("the content or its checksum is wrong"))
    }

    fn read(text: &str) -> Option<Self> {
        let (content, checksum) = text.strip_suffix('\n')?.rsplit_once("\ncrc ")?;
        let content_bytes = &text.as_bytes()[..=content.len()];
        if checksum != format!("{:08x}", crc32c::crc32c(content_bytes)) {
            return None;
        }
        let mut lines = content.lines();
        let is_old = lines.next()? == OLD_FIRST_LINE;
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let seal = Seal(u64::from_str_radix(field("log")?, 16).ok()?);
        let epoch = Epoch::new(field("epoch")?).ok()?;
        let boot = Some(field("boot")?)
            .filter(|boot| *boot != "-")
            .map(str::to_owned);
        let left = field("left")?;
        let (left, _) = Left::ALL.into_iter().find(|(_, word)| *word == left)?;
        let known = Self {
            seal,
            epoch,
            boot,
            left,
            newest: 0,
            end: None,
            runs: Runs::new(),
        };
        if is_old {
            return Some(known);
        }
        let newest = field("newest")?.parse().ok()?;
        let end = match field("end")? {
            "-" => None,
            end => Some(end.parse().ok()?),
        };
        let runs = lines.map(read_run).collect::<Option<Vec<_>>>()?;
        Some(Self {
            newest,
            end,
            runs: Runs::of(runs)?,
            ..known
        })
    }
}

fn read_run(line: &str) -> Option<Run> {
    let mut words = line.strip_prefix("run ")?.split(' ');
    let (first, mark, loss) = (
        words.next()?.parse().ok()?,
        words.next()?.parse().ok()?,
        words.next()?,
    );
    let after_loss = match loss {
        "lost" => true,
        "-" => false,
        _ => return None,
    };
    words.next().is_none().then_some(Run {
        first,
        mark,
        after_loss,
    })
}

/// Returns an identifier that changes at every boot of the machine.
pub(crate) fn boot() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = text.trim();
    let is_id = !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && id != "-";
    is_id.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<Meta, Damage> {
        Meta::parse(text, Path::new(META))
    }

    #[test]
    fn metadata_round_trips() {
        for (left, _) in Left::ALL {
            for boot in [None, Some("7c5e-1".to_owned())] {
                let mut meta = Meta {
                    boot,
                    left,
                    ..Meta::new(SyncPolicy::Never)
                };
                assert_eq!(parse(meta.to_text().as_bytes()), Ok(meta.clone()));
                (meta.newest, meta.end) = (7, Some(12));
                meta.runs.begin(8, true);
                meta.runs.begin(13, false);
                assert_eq!(parse(meta.to_text().as_bytes()), Ok(meta));
            }
        }
    }

    #[test]
    fn old_format_is_read() {
        let text = "sse-file 1\nlog 00000000000000ff\nepoch 7f3a\nboot -\nleft closed\n";
        let meta = parse(format!("{text}crc {:08x}\n", crc32c::crc32c(text.as_bytes())).as_bytes())
            .unwrap();
        assert_eq!(
            (meta.seal, meta.left, meta.newest, meta.end),
            (Seal(255), Left::Closed, 0, None)
        );
        assert_eq!(meta.runs, Runs::new());
    }

    #[test]
    fn every_flip_and_cut_is_detected() {
        let text = Meta::new(SyncPolicy::EveryBatch).to_text().into_bytes();
        for at in 0..text.len() {
            assert!(parse(&text[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut flipped = text.clone();
                flipped[at] ^= 1 << bit;
                assert!(parse(&flipped).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn only_unsynced_entries_are_lost_in_machine_crash() {
        let meta = Meta::new(SyncPolicy::Never);
        let elsewhere = Some("another".to_owned());
        for (left, boot, lost) in [
            (Left::Unsynced, elsewhere.clone(), true),
            (Left::Unsynced, None, true),
            (Left::Synced, elsewhere.clone(), false),
            (Left::Closed, elsewhere, false),
        ] {
            assert_eq!(
                Meta {
                    left,
                    boot,
                    ..meta.clone()
                }
                .may_have_lost(),
                lost,
                "{left:?}"
            );
        }
        assert_eq!(meta.may_have_lost(), boot().is_none());
    }
}
