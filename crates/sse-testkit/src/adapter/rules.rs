//! The rules, by topic.

pub mod compression;
pub mod disconnects;
pub mod event_streams;
pub mod heartbeats;
pub mod http2;
pub mod management;
pub mod refusals;
pub mod requests;
pub mod shutdown;
pub mod slow_clients;
pub mod targets;

/// Creates a test for each rule for an [`Adapter`](crate::adapter::Adapter).
///
/// `adapter_suite!(MyAdapter)` has the rules for all adapters, over HTTP/1. A list adds groups for
/// an adapter's further capabilities:
///
/// | group | rules about |
/// |---|---|
/// | `compression` | the framework's compression middleware |
/// | `management` | the management API of `sse-trpc` |
/// | `http2` | HTTP/2 with prior knowledge |
///
/// ```ignore
/// sse_testkit::adapter_suite!(MyAdapter, [compression, management, #[cfg(feature = "http2")] http2]);
/// ```
///
/// The tests need no runtime of the caller's, run in parallel, and use a port each.
#[macro_export]
macro_rules! adapter_suite {
    ($adapter:ty) => {
        $crate::adapter_suite!($adapter, []);
    };
    ($adapter:ty, [$($(#[$attribute:meta])* $group:ident),* $(,)?]) => {
        $crate::__adapter_rules!(everybody, $adapter);
        $($(#[$attribute])* $crate::__adapter_rules!($group, $adapter);)*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __adapter_rules {
    (everybody, $adapter:ty) => {
        $crate::__adapter_tests!($adapter, requests: [
            a_stream_has_its_status_and_headers,
            stream_begins_with_one_connection_block,
            head_request_gets_headers_and_opens_no_stream,
            other_methods_get_the_allowed_methods,
            accept_header_is_never_a_reason_to_refuse,
            last_event_id_is_read_from_header_and_query,
            topics_can_be_encoded_and_repeated,
            a_bad_topic_is_a_bad_request_that_is_counted,
            a_topic_that_is_not_for_the_caller_is_forbidden,
            a_request_head_of_12_kib_is_read,
            a_client_of_http_1_0_gets_no_chunks_and_an_end,
        ]);
        $crate::__adapter_tests!($adapter, targets: [
            an_event_reaches_its_target_and_nobody_else,
            every_stream_sees_one_order_whatever_the_targets,
            lines_and_letters_arrive_as_they_were_sent,
            a_thousand_streams_get_everything,
        ]);
        $crate::__adapter_tests!($adapter, refusals: [
            refusals_by_limits_have_a_retry,
            limits_apply_to_the_clients_address,
            new_stream_can_replace_the_oldest,
            soft_refusal_is_a_stream_with_a_retry,
            event_source_survives_a_temporary_rejection,
            a_draining_manager_refuses,
            banned_user_gets_no_content,
        ]);
        $crate::__adapter_tests!($adapter, disconnects: [
            close_is_detected_immediately,
            reset_is_detected_immediately,
            half_close_is_detected,
            heartbeat_reveals_disconnect_after_pipelined_byte,
            a_second_stream_of_a_user_outlives_the_first,
            ended_stream_sends_its_reason_and_ends_cleanly,
            a_connection_has_one_stream_after_the_other,
            reconnecting_clients_leave_nothing,
        ]);
        $crate::__adapter_tests!($adapter, slow_clients: [
            stalled_client_is_ended_in_time,
            full_queue_ends_only_its_client,
            heartbeats_detect_a_silent_client,
            client_that_can_lose_events_receives_the_gap,
        ]);
        $crate::__adapter_tests!($adapter, heartbeats: [
            a_quiet_stream_gets_a_heartbeat_after_the_interval,
            an_event_postpones_the_heartbeat,
            a_heartbeat_may_be_a_comment,
        ]);
        $crate::__adapter_tests!($adapter, shutdown: [
            shutdown_ends_streams_with_a_farewell,
            a_shutdown_is_announced_before_it_begins,
            stalled_client_ends_at_the_deadline,
            idle_connections_do_not_delay_shutdown,
            stream_requested_during_shutdown_is_refused,
        ]);
        $crate::__adapter_tests!($adapter, event_streams: [
            a_one_off_stream_has_events_and_an_end,
            quiet_one_off_stream_gets_heartbeats,
            a_one_off_stream_that_fails_has_no_clean_end,
            a_one_off_stream_is_dropped_when_its_client_goes,
            a_one_off_stream_does_not_outlive_the_deadline,
        ]);
    };
    (compression, $adapter:ty) => {
        $crate::__adapter_tests!($adapter, compression: [
            middleware_compresses_other_responses,
            stream_passes_uncompressed_and_unbuffered,
            refusal_is_the_same_with_compression,
        ]);
    };
    (management, $adapter:ty) => {
        $crate::__adapter_tests!($adapter, management: [
            a_query_is_answered_below_the_mount_point,
            a_mutation_reaches_the_screens,
            the_app_determines_the_caller,
            a_body_of_more_than_the_limit_is_too_large,
            body_without_a_length_has_the_same_limit,
            incomplete_body_has_no_effect,
            a_refusal_does_not_wait_for_the_body,
            method_and_content_type_are_checked,
        ]);
    };
    (http2, $adapter:ty) => {
        $crate::__adapter_tests!($adapter, http2: [
            one_connection_carries_many_streams,
            http2_responses_have_no_http_1_fields,
            reset_stream_affects_no_other_stream,
            shutdown_ends_streams_then_the_connection,
            closed_window_ends_only_its_stream,
        ]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __adapter_tests {
    ($adapter:ty, $module:ident: [$($rule:ident),* $(,)?]) => {
        $(
            #[test]
            fn $rule() {
                $crate::adapter::check::<$adapter, _>($crate::adapter::rules::$module::$rule);
            }
        )*
    };
}

#[cfg(test)]
mod tests {
    /// A rule that is missing from the lists would never run.
    #[test]
    fn every_rule_is_in_a_list() {
        let lists = include_str!("rules.rs");
        let sources = [
            include_str!("rules/compression.rs"),
            include_str!("rules/disconnects.rs"),
            include_str!("rules/event_streams.rs"),
            include_str!("rules/heartbeats.rs"),
            include_str!("rules/http2.rs"),
            include_str!("rules/management.rs"),
            include_str!("rules/refusals.rs"),
            include_str!("rules/requests.rs"),
            include_str!("rules/shutdown.rs"),
            include_str!("rules/slow_clients.rs"),
            include_str!("rules/targets.rs"),
        ];
        let rules = sources.iter().flat_map(|source| source.lines());
        let rules = rules.filter_map(|line| line.strip_prefix("pub async fn ")?.split_once('('));
        let mut count = 0;
        for (rule, _) in rules {
            assert!(lists.contains(&format!("            {rule},\n")), "{rule}");
            count += 1;
        }
        assert!(count > 50, "{count}");
    }
}
