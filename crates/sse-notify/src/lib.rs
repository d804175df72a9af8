//! Typed notifications and system events on top of sse-core
