//! The management API as a router.
