//! The files of the browser client.

use crate::static_files::{File, StaticFiles};

macro_rules! module {
    ($name:literal) => {
        File::new($name, include_str!(concat!("../js/src/", $name)))
    };
}

/// The client: `client.js`, `react.js` (which imports `react`), `hooks.js` (which does not),
/// `notifications.js`, `parser.js`, what they import, and `app-router.d.ts`, the types of the
/// management API. The files refer to each other by relative paths, so they work in any folder.
pub const CLIENT: StaticFiles = StaticFiles::new(&[
    module!("client.js"),
    module!("connection.js"),
    module!("delay.js"),
    module!("error.js"),
    module!("event-source-stream.js"),
    module!("fetch-stream.js"),
    module!("hooks.js"),
    module!("key.js"),
    module!("limits.js"),
    module!("memory.js"),
    module!("notifications.js"),
    module!("parser.js"),
    module!("react.js"),
    module!("shared.js"),
    module!("store.js"),
    module!("world.js"),
    File::new("app-router.js", include_str!("../js/app-router.js")),
    File::new("app-router.d.ts", include_str!("../js/app-router.d.ts")),
]);
