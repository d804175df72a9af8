//! The app of a server.

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tower_service::Service;

/// An error of an app.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An app that a server can serve: one name for the bounds of [`Serve`](crate::Serve). Every
/// service with these bounds is an app.
pub(crate) trait HttpApp:
    Service<
        Request<Incoming>,
        Response = Response<<Self as HttpApp>::Body>,
        Error: Into<BoxError>,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static
{
    type Body: Body<Data: Send, Error: Into<BoxError>> + Send + 'static;
}

impl<S, B> HttpApp for S
where
    S: Service<
            Request<Incoming>,
            Response = Response<B>,
            Error: Into<BoxError>,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Body = B;
}
