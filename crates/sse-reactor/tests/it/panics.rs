//! Foreign code that panics.

use std::sync::Arc;

use sse_core::{
    DisconnectOptions, Event, Handshake, Manager, Target,
    dialect::{FrameWriter, Hello},
    hooks::{Disconnection, Hooks, StreamInfo},
};

use crate::site::{Client, HEAD, Site};

/// A value that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a guard's own affair");
        }
    }
}

#[test]
fn panicking_guard_ends_no_other_stream() {
    let site = Site::with(Manager::builder(), 1);
    let mut other = site.open();
    let (client, server) = site.pair();
    site.adopt(server, Bomb);
    drop(Client::greeted(client));
    site.until("it went off", |site| {
        site.stats().panics == 1 && site.stats().streams == 1
    });
    site.publish("others go on");
    assert_eq!(other.next_data(), "others go on");
}

#[test]
fn panicking_hook_ends_no_other_stream() {
    struct Panics;
    impl Hooks for Panics {
        fn disconnected(&self, stream: &StreamInfo, _: &Disconnection) {
            assert!(stream.user_id.is_none(), "an app's own affair");
        }
    }
    let site = Site::with(Manager::builder().hooks(Panics), 1);
    let mut other = site.open();
    for way in ["leaves", "ended"] {
        let before = site.stats().panics;
        let (client, server) = site.pair();
        let session = {
            let _entered = site.runtime.enter();
            site.manager.connect(Handshake::new().user("42")).unwrap()
        };
        site.adopt_with(server, HEAD, sse_reactor::Framing::Chunked, session, ());
        let client = Client::greeted(client);
        if way == "leaves" {
            drop(client);
        } else {
            let user = Target::User("42".try_into().unwrap());
            site.runtime
                .block_on(site.manager.disconnect(user, DisconnectOptions::new()));
        }
        site.until("it went off", |site| {
            site.stats().panics > before && site.stats().streams == 1
        });
    }
    site.publish("others go on");
    assert_eq!(other.next_data(), "others go on");
}

#[test]
fn panicking_dialect_ends_only_its_stream() {
    #[derive(Debug)]
    struct Panics;
    impl sse_core::dialect::Dialect for Panics {
        fn name(&self) -> &'static str {
            "panics"
        }
        fn hello(&self, _: &Hello, _: &mut FrameWriter) {
            panic!("a dialect's own affair");
        }
        fn event(&self, event: &Event, out: &mut FrameWriter) {
            out.event(event);
        }
        fn heartbeat(&self, beat: &Event, out: &mut FrameWriter) {
            out.event(beat);
        }
        fn end(&self, _: &sse_core::dialect::Farewell, _: &mut FrameWriter) {}
    }
    let site = Site::with(Manager::builder(), 1);
    let mut other = site.open();
    let (client, server) = site.pair();
    let session = {
        let _entered = site.runtime.enter();
        site.manager
            .connect(Handshake::new().dialect(Arc::new(Panics)))
            .unwrap()
    };
    site.adopt_with(server, HEAD, sse_reactor::Framing::Chunked, session, ());
    assert!(!Client::new(client).is_reset(), "closed");
    site.until("the disconnect", |site| {
        site.stats().panics == 1 && site.stats().streams == 1
    });
    site.publish("others go on");
    assert_eq!(other.next_data(), "others go on");
}
