//! Hearing what other nodes say.

use std::sync::{Arc, Weak, atomic::Ordering};

use bytes::Bytes;
use sse_core::SignalHandler;
use tracing::warn;

use crate::{
    messages::{self, Asked, Body, Message},
    shared::Shared,
};

/// Hears what other nodes say, as long as the cluster lives.
pub(crate) struct Listener(pub(crate) Weak<Shared>);

impl SignalHandler for Listener {
    fn signalled(&self, payload: Bytes) {
        let Some(shared) = self.0.upgrade() else { return };
        match messages::read::<Message>(&payload) {
            // Signals are for the app's own use as well.
            None => {}
            Some(Ok(message)) if message.from == shared.me => {}
            Some(Ok(message)) => hear(&shared, message),
            Some(Err(error)) => warn!(%error, "what another node says cannot be read"),
        }
    }

    fn missed(&self) {
        if let Some(shared) = self.0.upgrade() {
            shared.missed();
        }
    }
}

fn hear(shared: &Arc<Shared>, Message { from, body }: Message) {
    match body {
        Body::Report(report) => shared.report(from, &report),
        Body::Ask { of } if of.contains(&shared.me) => shared.list_wanted.store(true, Ordering::Relaxed),
        Body::Request { number, to, question } if to.is_none_or(|to| to == shared.me) => {
            shared.asked(Asked { from, number, question });
        }
        Body::Reply { to, number, answer } if to == shared.me => {
            shared.questions.answer(number, from, answer);
        }
        Body::Bye => shared.goes(from),
        Body::Ask { .. } | Body::Request { .. } | Body::Reply { .. } => {}
    }
}
