//! Demo mode: visitors name themselves.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;
use sse_auth::Origins;
use sse_axum::request_view;
use sse_core::{Caller, Manager, UserId, id::FieldError};

use crate::app::auth_log;

/// Returns the user name in a query string: its first non-empty `user`.
pub(crate) fn name(query: Option<&str>) -> Option<String> {
    form_urlencoded::parse(query?.as_bytes())
        .find(|(name, value)| name == "user" && !value.is_empty())
        .map(|(_, value)| value.into_owned())
}

/// Identifies the caller to the management API.
pub(crate) async fn identify(
    State(manager): State<Manager>,
    mut request: Request,
    next: Next,
) -> Response {
    let limit = manager.config().limits.user;
    match name(request.uri().query())
        .map(|name| user(name, limit))
        .transpose()
    {
        Ok(user) => {
            request
                .extensions_mut()
                .insert(user.map_or_else(Caller::anonymous, Caller::user));
            next.run(request).await
        }
        Err(error) => refusal(&error).into_response(),
    }
}

/// Rejects requests of other sites' pages. Such a page can make the visitor's browser call the hub,
/// which trusts every client that reaches it.
pub(crate) async fn check_page(
    State(origins): State<Arc<Origins>>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let checked = origins.check_page(&request_view(&parts));
    match checked {
        Ok(_) => next.run(Request::from_parts(parts, body)).await,
        Err(page) => {
            let remedy = "to allow them, list the origin in --origins";
            auth_log::refused(page.code(), &page, remedy);
            (
                StatusCode::FORBIDDEN,
                format!("pages of {} may not use this hub; {remedy}\n", page.page()),
            )
                .into_response()
        }
    }
}

/// Builds a rejection in the form that clients of the API understand.
fn refusal(error: &FieldError) -> impl IntoResponse + use<> {
    let data = json!({ "code": "BAD_REQUEST", "httpStatus": 400 });
    let answer = json!({ "error": { "message": format!("query parameter user {error}"), "code": -32600, "data": data } });
    (
        StatusCode::BAD_REQUEST,
        [(header::CONTENT_TYPE, "application/json")],
        answer.to_string(),
    )
}

fn user(name: String, limit: usize) -> Result<UserId, FieldError> {
    FieldError::check_length(&name, limit)?;
    UserId::new(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_non_empty_user_counts() {
        assert_eq!(
            name(Some("topics=a&user=J%C3%B6rg+B&user=b")).as_deref(),
            Some("Jörg B")
        );
        assert_eq!(name(Some("user=&user=b")).as_deref(), Some("b"));
        for query in [None, Some(""), Some("user"), Some("user="), Some("users=a")] {
            assert_eq!(name(query), None, "{query:?}");
        }
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(user("ab".into(), 2).unwrap().as_str(), "ab");
        assert!(user("abc".into(), 2).is_err() && user("a\n".into(), 9).is_err());
    }
}
