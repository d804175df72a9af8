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
            a_stream_begins_with_one_block_that_says_who_and_how,
            a_head_request_gets_the_headers_and_registers_nothing,
            other_methods_are_told_which_are_allowed,
            no_accept_is_a_reason_to_refuse,
            a_last_event_id_arrives_by_header_and_by_each_name_in_the_query,
            topics_may_be_encoded_and_named_more_than_once,
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
            limits_refuse_and_say_when_to_return,
            the_clients_address_counts,
            a_newcomer_may_replace_the_oldest,
            a_soft_refusal_is_a_stream_that_says_when_to_return,
            an_event_source_survives_a_rejection_that_passes,
            a_draining_manager_refuses,
            a_user_who_is_to_stay_away_gets_no_content,
        ]);
        $crate::__adapter_tests!($adapter, disconnects: [
            a_client_that_closes_is_gone_at_once,
            a_client_that_resets_is_gone_at_once,
            a_client_that_closes_its_half_is_gone,
            a_pipelined_byte_hides_a_disconnect_until_a_heartbeat_at_most,
            a_second_stream_of_a_user_outlives_the_first,
            a_stream_that_is_ended_says_why_and_ends_cleanly,
            a_connection_has_one_stream_after_the_other,
            nothing_is_left_of_clients_that_come_and_go,
        ]);
        $crate::__adapter_tests!($adapter, slow_clients: [
            a_client_that_takes_nothing_is_ended_in_time_and_harms_nobody,
            a_client_whose_queue_is_full_is_ended_and_harms_nobody,
            a_silent_client_is_found_by_heartbeats,
            a_client_that_may_lose_events_is_told_of_the_gap,
        ]);
        $crate::__adapter_tests!($adapter, heartbeats: [
            a_quiet_stream_gets_a_heartbeat_after_the_interval,
            an_event_postpones_the_heartbeat,
            a_heartbeat_may_be_a_comment,
        ]);
        $crate::__adapter_tests!($adapter, shutdown: [
            open_streams_end_with_a_farewell_and_the_server_with_them,
            a_shutdown_is_announced_before_it_begins,
            a_client_that_takes_nothing_does_not_outlive_the_deadline,
            connections_that_ask_nothing_do_not_hold_it_up,
            a_stream_that_is_asked_for_meanwhile_is_refused,
        ]);
        $crate::__adapter_tests!($adapter, event_streams: [
            a_one_off_stream_has_events_and_an_end,
            a_quiet_one_off_stream_gets_heartbeats_from_the_start,
            a_one_off_stream_that_fails_has_no_clean_end,
            a_one_off_stream_is_dropped_when_its_client_goes,
            a_one_off_stream_does_not_outlive_the_deadline,
        ]);
    };
    (compression, $adapter:ty) => {
        $crate::__adapter_tests!($adapter, compression: [
            the_middleware_compresses_what_is_no_stream,
            a_stream_passes_as_it_is_and_each_event_at_once,
            a_refusal_behind_it_is_the_same,
        ]);
    };
    (management, $adapter:ty) => {
        $crate::__adapter_tests!($adapter, management: [
            a_query_is_answered_below_the_mount_point,
            a_mutation_reaches_the_screens,
            the_caller_is_who_the_app_says,
            a_body_of_more_than_the_limit_is_too_large,
            a_body_that_does_not_say_its_length_has_the_same_limit,
            a_body_that_breaks_off_does_nothing,
            a_refusal_does_not_wait_for_the_body,
            what_the_method_and_the_type_must_be,
        ]);
    };
    (http2, $adapter:ty) => {
        $crate::__adapter_tests!($adapter, http2: [
            one_connection_carries_many_streams,
            its_answers_are_the_same_without_fields_of_http_1,
            a_stream_that_is_reset_is_gone_and_harms_no_other,
            a_shutdown_ends_its_streams_and_then_the_connection,
            a_stream_whose_window_is_closed_is_ended_in_time_and_harms_no_other,
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
