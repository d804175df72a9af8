//! The id of a node.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

/// The id of a node, from its start to its end: a manager that is started again is another node.
///
/// 16 lower-case hexadecimal digits, generated at random.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u64);

/// The error for text that is not 16 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("node id is not 16 lower-case hexadecimal digits")]
pub struct NodeIdError;

impl NodeId {
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }
}

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, NodeIdError> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 16 || !text.bytes().all(hex) {
            return Err(NodeIdError);
        }
        u64::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| NodeIdError)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return String::deserialize(deserializer)?
                .parse()
                .map_err(D::Error::custom);
        }
        u64::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_written_ids_parse() {
        let id = NodeId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(NodeId(1).to_string(), "0000000000000001");
        for bad in [
            "",
            "1",
            "000000000000000G",
            "+000000000000001",
            "00000000000000001",
            "ääääääää",
        ] {
            assert_eq!(bad.parse::<NodeId>(), Err(NodeIdError), "{bad:?}");
        }
    }
}
