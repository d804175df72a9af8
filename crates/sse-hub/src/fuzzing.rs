//! Entry points for the fuzz targets of this workspace.

use std::ffi::OsString;

use axum::Router;
use sse_axum::TransportStatsHandle;
use sse_cluster::ClusterConfig;
use sse_core::Manager;

use crate::{
    server::{self, AccessControl},
    settings::Settings,
};

/// Creates the routes that a hub with this command line serves, and their manager.
///
/// # Errors
///
/// Returns the problem of the command line.
pub fn routes(arguments: &[&str]) -> Result<(Router, Manager), String> {
    let arguments = std::iter::once("sse-hub")
        .chain(arguments.iter().copied())
        .map(OsString::from);
    let settings = Settings::gather(arguments).map_err(|error| format!("{error:?}"))?;
    let builder = Manager::builder().config(settings.streams);
    let (limits, transformer) = (settings.management, settings.transformer);
    let node = ClusterConfig::new();
    let access_control = AccessControl::new(settings.configured, settings.origins);
    let (cluster, router) = server::app(
        builder,
        node,
        limits,
        transformer,
        access_control,
        settings.hosts,
        &TransportStatsHandle::default(),
    )
    .map_err(|error| format!("{error:?}"))?;
    Ok((router, cluster.manager().clone()))
}
