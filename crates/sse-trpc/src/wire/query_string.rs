//! Query strings.

use std::borrow::Cow;

/// The parameters of a call. The first parameter of a name counts, except for parameters that can
/// hold credentials.
#[derive(Debug, Default)]
pub(crate) struct Query<'a> {
    pub(crate) input: Option<Cow<'a, str>>,
    pub(crate) connection_params: Option<Cow<'a, str>>,
    pub(crate) last_event_id: Option<Cow<'a, str>>,
    batch: Option<Cow<'a, str>>,
    /// Set if the query has several different `connectionParams`: nothing decides whose credentials
    /// count.
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

    /// Returns `true` only for `batch=1`.
    pub(crate) fn is_batch(&self) -> bool {
        self.batch.as_deref() == Some("1")
    }
}
