//! What stands in a query string.

use std::borrow::Cow;

/// The parameters that matter; the first of a name counts, except of those that may hold
/// credentials.
#[derive(Debug, Default)]
pub(crate) struct Query<'a> {
    pub(crate) input: Option<Cow<'a, str>>,
    pub(crate) connection_params: Option<Cow<'a, str>>,
    pub(crate) last_event_id: Option<Cow<'a, str>>,
    batch: Option<Cow<'a, str>>,
    /// Several different `connectionParams` are there: nothing says whose credentials are meant.
    pub(crate) repeats_connection_params: bool,
}

impl<'a> Query<'a> {
    pub(crate) fn parse(query: Option<&'a str>) -> Self {
        let mut found = Self::default();
        let mut other_last_event_id = None;
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let place = match &*name {
                "input" => &mut found.input,
                "batch" => &mut found.batch,
                "connectionParams" => &mut found.connection_params,
                "lastEventId" => &mut found.last_event_id,
                "Last-Event-Id" => &mut other_last_event_id,
                _ => continue,
            };
            found.repeats_connection_params |=
                name == "connectionParams" && place.as_ref().is_some_and(|known| *known != value);
            place.get_or_insert(value);
        }
        found.last_event_id = found.last_event_id.or(other_last_event_id);
        found
    }

    /// Only `1` says so.
    pub(crate) fn is_batch(&self) -> bool {
        self.batch.as_deref() == Some("1")
    }
}
