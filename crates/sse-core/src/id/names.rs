//! Names that address streams: user ids and topics.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use crate::id::validate::FieldError;

/// Maximum length of a name in bytes, whatever [`Limits`](crate::config::Limits) allow.
pub const MAX_NAME_BYTES: usize = 1024;

macro_rules! name {
    ($(#[$doc:meta])* $Name:ident) => {
        $(#[$doc])*
        ///
        /// A name has 1 to [`MAX_NAME_BYTES`](crate::id::MAX_NAME_BYTES) bytes and no control
        /// characters. Names are compared byte by byte. A clone shares the text.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $Name(Arc<str>);

        impl $Name {
            /// Creates a name after checking it.
            ///
            /// # Errors
            /// [`FieldError`] if the name is empty, too long or contains a control character.
            pub fn new(name: impl AsRef<str> + Into<Arc<str>>) -> Result<Self, FieldError> {
                FieldError::check_name(name.as_ref(), MAX_NAME_BYTES)?;
                Ok(Self(name.into()))
            }

            /// Returns the name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            pub(crate) fn text(&self) -> &Arc<str> {
                &self.0
            }

            pub(crate) fn from_text(text: Arc<str>) -> Self {
                Self(text)
            }
        }

        impl FromStr for $Name {
            type Err = FieldError;

            fn from_str(name: &str) -> Result<Self, FieldError> {
                Self::new(name)
            }
        }

        impl TryFrom<&str> for $Name {
            type Error = FieldError;

            fn try_from(name: &str) -> Result<Self, FieldError> {
                Self::new(name)
            }
        }

        impl TryFrom<&String> for $Name {
            type Error = FieldError;

            fn try_from(name: &String) -> Result<Self, FieldError> {
                Self::new(name.as_str())
            }
        }

        impl TryFrom<String> for $Name {
            type Error = FieldError;

            fn try_from(name: String) -> Result<Self, FieldError> {
                Self::new(name)
            }
        }

        impl From<&$Name> for $Name {
            fn from(name: &$Name) -> Self {
                name.clone()
            }
        }

        impl Borrow<str> for $Name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl serde::Serialize for $Name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                Self::new(name).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// The id of the user that a stream belongs to. A user can have any number of streams.
    ///
    /// ```
    /// use sse_core::{Handshake, Manager, UserId, id::FieldError};
    ///
    /// let user = UserId::new("42")?;
    /// let manager = Manager::builder().build()?;
    /// let session = manager.connect(Handshake::new().user(&user))?;
    /// assert_eq!(session.user_id(), Some(&user));
    ///
    /// assert_eq!(UserId::new(""), Err(FieldError::Empty));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    UserId
}

name! {
    /// A subject that streams join, such as `orders/7` or `news`. A stream can have any number of
    /// topics within the limits.
    ///
    /// ```
    /// use sse_core::{Handshake, Manager, Target, Topic};
    ///
    /// let manager = Manager::builder().build()?;
    /// let session = manager.connect(Handshake::new())?;
    ///
    /// let topic = Topic::new(format!("orders/{}", 7))?;
    /// session.join(&topic)?;
    /// assert_eq!(manager.count(&Target::Topic(topic)), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Topic
}
