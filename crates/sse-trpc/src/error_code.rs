//! Error codes.

/// The kind of an error. Each kind has a name, a JSON-RPC number and an HTTP status.
///
/// The numbers are those of tRPC 11, in which the last four codes share the number of
/// [`Code::InternalServerError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names of tRPC are self-explanatory")]
pub enum Code {
    ParseError,
    BadRequest,
    Unauthorized,
    PaymentRequired,
    Forbidden,
    NotFound,
    MethodNotSupported,
    Timeout,
    Conflict,
    PreconditionFailed,
    PayloadTooLarge,
    UnsupportedMediaType,
    UnprocessableContent,
    PreconditionRequired,
    TooManyRequests,
    ClientClosedRequest,
    InternalServerError,
    NotImplemented,
    BadGateway,
    ServiceUnavailable,
    GatewayTimeout,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 21] = [
        Self::ParseError,
        Self::BadRequest,
        Self::Unauthorized,
        Self::PaymentRequired,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotSupported,
        Self::Timeout,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::UnprocessableContent,
        Self::PreconditionRequired,
        Self::TooManyRequests,
        Self::ClientClosedRequest,
        Self::InternalServerError,
        Self::NotImplemented,
        Self::BadGateway,
        Self::ServiceUnavailable,
        Self::GatewayTimeout,
    ];

    /// Returns the name on the wire: `BAD_REQUEST`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// Returns the JSON-RPC number: -32600.
    #[must_use]
    pub const fn json_rpc(self) -> i32 {
        self.row().1
    }

    /// Returns the HTTP status: 400.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().2
    }

    const fn row(self) -> (&'static str, i32, u16) {
        match self {
            Self::ParseError => ("PARSE_ERROR", -32700, 400),
            Self::BadRequest => ("BAD_REQUEST", -32600, 400),
            Self::Unauthorized => ("UNAUTHORIZED", -32001, 401),
            Self::PaymentRequired => ("PAYMENT_REQUIRED", -32002, 402),
            Self::Forbidden => ("FORBIDDEN", -32003, 403),
            Self::NotFound => ("NOT_FOUND", -32004, 404),
            Self::MethodNotSupported => ("METHOD_NOT_SUPPORTED", -32005, 405),
            Self::Timeout => ("TIMEOUT", -32008, 408),
            Self::Conflict => ("CONFLICT", -32009, 409),
            Self::PreconditionFailed => ("PRECONDITION_FAILED", -32012, 412),
            Self::PayloadTooLarge => ("PAYLOAD_TOO_LARGE", -32013, 413),
            Self::UnsupportedMediaType => ("UNSUPPORTED_MEDIA_TYPE", -32015, 415),
            Self::UnprocessableContent => ("UNPROCESSABLE_CONTENT", -32022, 422),
            Self::PreconditionRequired => ("PRECONDITION_REQUIRED", -32028, 428),
            Self::TooManyRequests => ("TOO_MANY_REQUESTS", -32029, 429),
            Self::ClientClosedRequest => ("CLIENT_CLOSED_REQUEST", -32099, 499),
            Self::InternalServerError => ("INTERNAL_SERVER_ERROR", -32603, 500),
            Self::NotImplemented => ("NOT_IMPLEMENTED", -32603, 501),
            Self::BadGateway => ("BAD_GATEWAY", -32603, 502),
            Self::ServiceUnavailable => ("SERVICE_UNAVAILABLE", -32603, 503),
            Self::GatewayTimeout => ("GATEWAY_TIMEOUT", -32603, 504),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts are indexed in the order of `Code::ALL`.
    #[test]
    fn every_code_is_in_its_place() {
        for (place, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, place);
        }
        assert_eq!(Code::GatewayTimeout as usize + 1, Code::ALL.len());
    }
}
