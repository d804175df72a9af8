//! Names and identifiers, the errors of invalid ones, and the networks of addresses.

pub(crate) mod access;
pub(crate) mod caller;
pub(crate) mod client_id;
pub(crate) mod hex_id;
pub(crate) mod key_scope;
pub(crate) mod login_id;
pub(crate) mod names;
pub(crate) mod network;
pub(crate) mod target;
pub(crate) mod validate;

pub use self::{
    client_id::ClientIdError, login_id::LoginIdError, names::MAX_NAME_BYTES, network::network,
    validate::FieldError,
};
