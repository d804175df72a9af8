//! The rules, by topic.

pub mod bounds;
pub mod keys;
pub mod leases;
pub mod order;
pub mod pages;
pub mod payloads;
pub mod reconnects;
pub mod restarts;
pub mod retention;
pub mod signals;
pub mod tails;
pub mod trims;
pub mod wipes;

/// Creates a test for each rule for a [`Broker`](crate::backplane::Broker).
///
/// `backplane_suite!(MyBroker)` has the rules for all backplanes. A list adds groups for a broker's
/// further capabilities:
///
/// | group | needs | rules about |
/// |---|---|---|
/// | `retention_by_bytes` | | retention by bytes |
/// | `retention_by_age` | | retention by age |
/// | `trim` | [`Trim`](crate::backplane::Trim) | a log that was trimmed from outside |
/// | `wipe` | [`Wipe`](crate::backplane::Wipe) | a log that was lost while no node was connected |
/// | `wipe_in_use` | [`Wipe`](crate::backplane::Wipe) | a log that was lost while nodes used it |
/// | `restart` | [`Restart`](crate::backplane::Restart) | a log after a `kill -9` of the broker, with new nodes |
/// | `reconnect` | [`Restart`](crate::backplane::Restart) | nodes that outlive the broker |
///
/// ```ignore
/// sse_testkit::backplane_suite!(MyBroker, [trim, wipe, wipe_in_use]);
/// ```
///
/// `backplane_suite!(MyBroker, only [restart])` omits the rules for all backplanes: for a second
/// broker of a backplane, set up in another way.
///
/// The tests need no runtime of the caller's, run in parallel, and have a broker each.
#[macro_export]
macro_rules! backplane_suite {
    ($broker:ty) => {
        $crate::backplane_suite!($broker, []);
    };
    ($broker:ty, only [$($group:ident),* $(,)?]) => {
        $($crate::__backplane_rules!($group, $broker);)*
    };
    ($broker:ty, [$($group:ident),* $(,)?]) => {
        $crate::__backplane_rules!(everybody, $broker);
        $($crate::__backplane_rules!($group, $broker);)*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __backplane_rules {
    (everybody, $broker:ty) => {
        $crate::__backplane_tests!($broker, order: [
            every_node_follows_one_order,
            appends_of_one_task_stand_in_their_order,
            entries_are_read_in_order_after_any_cursor,
            many_appends_at_once_are_all_acknowledged,
            an_append_that_is_dropped_harms_no_other,
        ]);
        $crate::__backplane_tests!($broker, pages: [
            a_page_ends_at_its_limit_of_entries,
            page_ends_at_its_byte_limit_after_one_entry,
            page_after_the_head_is_empty,
            pages_have_no_hole_while_appends_come,
            acknowledged_entries_are_read_by_every_node,
        ]);
        $crate::__backplane_tests!($broker, bounds: [
            a_new_log_is_empty,
            concurrent_nodes_agree_on_the_log,
            two_logs_have_two_epochs,
            head_is_the_last_entry,
            rewind_goes_back_the_given_entries,
            a_cursor_of_another_epoch_is_refused,
            a_cursor_beyond_the_head_is_refused,
        ]);
        $crate::__backplane_tests!($broker, tails: [
            tail_begins_after_any_cursor,
            tail_at_the_head_yields_only_later_entries,
            quiet_tail_reports_liveness,
            tail_reports_when_it_caught_up,
            tails_are_exact_while_appends_arrive,
            tail_wait_can_be_dropped_at_any_time,
            tail_continues_after_pages,
            a_tail_crosses_many_entries,
        ]);
        $crate::__backplane_tests!($broker, keys: [
            a_key_counts_once,
            a_key_counts_once_from_all_nodes_at_once,
            dropped_append_with_a_key_can_be_retried,
            any_text_of_1_to_128_bytes_is_a_key,
            a_key_counts_in_its_scope_alone,
            a_bound_on_keys_refuses_and_forgets_nothing,
            a_bound_on_keys_holds_for_appends_at_once,
        ]);
        $crate::__backplane_tests!($broker, payloads: [
            payloads_are_returned_unchanged,
            large_entries_come_through_a_tail,
        ]);
        $crate::__backplane_tests!($broker, signals: [
            a_signal_reaches_every_node_once,
            a_signal_is_not_in_the_log,
            earlier_signals_are_not_received,
            signal_can_have_any_bytes,
            signal_wait_can_be_dropped_at_any_time,
            unreceived_signal_is_not_an_error,
        ]);
        $crate::__backplane_tests!($broker, leases: [
            a_lease_is_seen_by_every_node,
            a_lease_ends_with_its_term,
            renewed_lease_lasts_with_the_latest_data,
            lease_can_be_dropped,
            many_large_leases_are_kept,
            leases_are_not_in_the_log,
        ]);
        $crate::__backplane_tests!($broker, retention: [
            oldest_entries_are_trimmed,
            lagging_tail_reports_trimmed_entries,
        ]);
    };
    (retention_by_bytes, $broker:ty) => {
        $crate::__backplane_tests!($broker, retention: [
            retention_limits_bytes,
        ]);
    };
    (retention_by_age, $broker:ty) => {
        $crate::__backplane_tests!($broker, retention: [
            retention_limits_age,
        ]);
    };
    (trim, $broker:ty) => {
        $crate::__backplane_tests!($broker, trims: [
            trimmed_entries_are_reported,
            emptied_log_continues,
            tail_overtaken_by_a_trim_reports_it,
        ]);
    };
    (wipe, $broker:ty) => {
        $crate::__backplane_tests!($broker, wipes: [
            wiped_log_has_another_epoch,
            keys_of_a_lost_log_do_not_count,
        ]);
    };
    (wipe_in_use, $broker:ty) => {
        $crate::__backplane_tests!($broker, wipes: [
            nodes_notice_that_the_log_was_wiped,
            appends_go_to_the_current_log,
            tail_never_continues_in_another_log,
            a_wiped_log_is_followed_anew,
        ]);
    };
    (restart, $broker:ty) => {
        $crate::__backplane_tests!($broker, restarts: [
            acknowledged_entries_outlive_a_restart,
            a_log_goes_on_after_a_restart,
            keys_outlive_a_restart,
            scopes_of_keys_outlive_a_restart,
        ]);
    };
    (reconnect, $broker:ty) => {
        $crate::__backplane_tests!($broker, reconnects: [
            calls_fail_in_time_without_a_broker,
            nodes_reconnect_automatically,
            nothing_is_lost_or_doubled_over_restarts,
        ]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __backplane_tests {
    ($broker:ty, $module:ident: [$($rule:ident),* $(,)?]) => {
        $(
            #[test]
            fn $rule() {
                $crate::backplane::check($crate::backplane::rules::$module::$rule::<$broker>());
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
            include_str!("rules/bounds.rs"),
            include_str!("rules/keys.rs"),
            include_str!("rules/leases.rs"),
            include_str!("rules/order.rs"),
            include_str!("rules/pages.rs"),
            include_str!("rules/payloads.rs"),
            include_str!("rules/reconnects.rs"),
            include_str!("rules/restarts.rs"),
            include_str!("rules/retention.rs"),
            include_str!("rules/signals.rs"),
            include_str!("rules/tails.rs"),
            include_str!("rules/trims.rs"),
            include_str!("rules/wipes.rs"),
        ];
        let rules = sources.iter().flat_map(|source| source.lines());
        let rules = rules.filter_map(|line| line.strip_prefix("pub async fn ")?.split_once('<'));
        let mut count = 0;
        for (rule, _) in rules {
            assert!(lists.contains(&format!("            {rule},\n")), "{rule}");
            count += 1;
        }
        assert!(count > 50, "{count}");
    }
}
