//! The embedded files, and the answers to requests for them.

mod answers;
mod files;
