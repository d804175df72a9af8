//! The text form of 128-bit ids.

/// Parses 32 lower-case hexadecimal digits. Returns `None` for any other text.
pub(crate) fn parse(text: &str) -> Option<u128> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_id = text.len() == 32 && text.bytes().all(hex);
    is_id.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// Implements parsing, formatting and serde for an id type around a `u128`, all with the same text
/// form.
macro_rules! hex_id {
    ($Name:ident, $Error:ident) => {
        impl std::str::FromStr for $Name {
            type Err = $Error;

            fn from_str(text: &str) -> Result<Self, $Error> {
                $crate::id::hex_id::parse(text).map(Self).ok_or($Error)
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl std::fmt::Debug for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl serde::Serialize for $Name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(|error: $Error| {
                    let value = $crate::id::validate::shortened(&text);
                    serde::de::Error::custom(format_args!("{value:?} {error}"))
                })
            }
        }
    };
}

pub(crate) use hex_id;
