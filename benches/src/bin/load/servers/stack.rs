//! The servers that this program contains.

use std::net::TcpListener;

use clap::ValueEnum;

use crate::servers::floor::Floor;
use crate::servers::serving::Serving;
use crate::servers::{
    actix_adapter, actix_native, axum_adapter, axum_native, hyper_adapter, hyper_native,
};

/// A way to serve event streams. All have the routes of
/// [`Layout::Plain`](crate::driver::target::Layout::Plain).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stack {
    Floor,
    AxumNative,
    SseAxum,
    /// `sse-axum` with all streams as bodies.
    SseAxumBodies,
    HyperNative,
    SseHyper,
    /// `sse-hyper` with all streams as bodies.
    SseHyperBodies,
    ActixNative,
    SseActix,
}

impl Stack {
    /// Returns the name in the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::AxumNative => "axum `Sse` + broadcast",
            Self::SseAxum => "sse-axum",
            Self::SseAxumBodies => "sse-axum, bodies",
            Self::HyperNative => "hyper channel body",
            Self::SseHyper => "sse-hyper",
            Self::SseHyperBodies => "sse-hyper, bodies",
            Self::ActixNative => "actix `sse` + broadcaster",
            Self::SseActix => "sse-actix",
        }
    }

    /// Returns the name on the command line.
    pub(crate) fn command(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// Returns the arguments that start the server.
    pub(crate) fn arguments(self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::SseAxumBodies => &["sse-axum", "--reactor", "off"],
            Self::SseHyperBodies => &["sse-hyper", "--reactor", "off"],
            other => return vec![other.command()],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Returns the native server of the framework, without the adapter.
    pub(crate) fn native(self) -> Option<Self> {
        match self {
            Self::SseAxum | Self::SseAxumBodies => Some(Self::AxumNative),
            Self::SseHyper | Self::SseHyperBodies => Some(Self::HyperNative),
            Self::SseActix => Some(Self::ActixNative),
            Self::Floor | Self::AxumNative | Self::HyperNative | Self::ActixNative => None,
        }
    }

    /// Serves on `listener` until it fails.
    pub(crate) fn serve(self, listener: TcpListener, serving: &Serving) -> anyhow::Result<()> {
        match self {
            Self::Floor => Floor::on(listener)?.serve(),
            Self::AxumNative => axum_native::serve(listener, serving),
            Self::SseAxum | Self::SseAxumBodies => axum_adapter::serve(listener, serving),
            Self::HyperNative => hyper_native::serve(listener, serving),
            Self::SseHyper | Self::SseHyperBodies => hyper_adapter::serve(listener, serving),
            Self::ActixNative => actix_native::serve(listener, serving),
            Self::SseActix => actix_adapter::serve(listener, serving),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_adapter_and_nothing_else_has_a_framework() {
        for stack in Stack::value_variants() {
            let adapter = stack.title().starts_with("sse-");
            assert_eq!(stack.native().is_some(), adapter, "{stack:?}");
            assert!(
                stack
                    .native()
                    .is_none_or(|native| native.native().is_none()),
                "{stack:?}"
            );
        }
    }

    #[test]
    fn commands_read_back() {
        for stack in Stack::value_variants() {
            assert_eq!(Stack::from_str(&stack.command(), false), Ok(*stack));
        }
    }
}
