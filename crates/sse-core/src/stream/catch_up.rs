//! What a returning client missed.

mod merged;
mod recipient;
mod step_frames;
mod subscription;
mod unlogged;

use smallvec::SmallVec;

use crate::{
    event::{
        cursor::{Cursor, LogPosition, Position},
        frame::{Frame, FrameKind},
    },
    id::target::Target,
    log::{
        fetched_page::FetchedPage,
        gap::{Gap, GapReason},
        holes::Holes,
        records::Records,
        waiters::WaitsFor,
        window::Window,
    },
    stream::{
        backlog::{Frames, Limit},
        catch_up::{
            merged::Merged, step_frames::StepFrames, subscription::Subscription, unlogged::Unlogged,
        },
    },
};

pub(crate) use self::recipient::Recipient;

/// Maximum number of records that are delivered or checked while the manager's lock is held once.
const STEP: usize = 256;

/// A stream that catches up. The stream has no live queue: it takes missed events from the log,
/// page by page as its transport asks. It becomes live under the manager's lock once the log has no
/// more for it, so no event is delivered twice or lost in between.
#[derive(Debug)]
pub(crate) struct CatchUp {
    /// A gap to report before anything else.
    gap: Option<Gap>,
    /// Position up to which the stream has received everything.
    given: Cursor,
    /// Number of the log that `given` is in; `None` if the window was never in that log.
    log: Option<u32>,
    /// `true` once the log is known to have assigned `given`.
    is_verified: bool,
    subscriptions: SmallVec<[Subscription; 2]>,
    unlogged: Unlogged,
    /// Set if the stream is registered to be woken, with the condition it waits for.
    pub(crate) enlisted: Option<WaitsFor>,
    /// `true` if the transport has taken all available events.
    pub(crate) waits: bool,
}

/// Outcome of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CatchUpStep {
    /// The stream continues with another step.
    More,
    /// No records are left: the stream becomes live.
    Done,
    /// The next records are only in the backplane, after this position.
    Backplane(Position),
    /// The log has to advance first.
    Wait,
}

impl CatchUp {
    /// Starts at a position that the current log can hold.
    pub(crate) fn from(
        given: Cursor,
        targets: impl IntoIterator<Item = Target>,
        window: &Window,
    ) -> Self {
        let subscriptions = targets
            .into_iter()
            .map(|target| Subscription::new(target, LogPosition::default()));
        let mut catching = Self {
            gap: None,
            given,
            log: Some(window.log()),
            is_verified: false,
            subscriptions: subscriptions.collect(),
            unlogged: Unlogged::default(),
            enlisted: None,
            waits: false,
        };
        catching.verify(window);
        catching
    }

    /// Starts at the end of the log, after a gap.
    pub(crate) fn after_gap(
        gap: Gap,
        targets: impl IntoIterator<Item = Target>,
        window: &Window,
    ) -> Self {
        Self {
            gap: Some(gap),
            ..Self::from(window.head_cursor(), targets, window)
        }
    }

    /// Returns the position up to which the stream has received everything.
    pub(crate) fn given(&self) -> &Cursor {
        &self.given
    }

    /// Returns `true` if the transport has taken all available events and waits for the log.
    pub(crate) fn waits_for_log(&self) -> bool {
        self.waits
    }

    pub(crate) fn join(&mut self, target: Target, window: &Window) {
        let after = window.place(window.head());
        self.subscriptions.push(Subscription::new(target, after));
    }

    pub(crate) fn leave(&mut self, target: &Target, window: &Window) {
        let open = self
            .subscriptions
            .iter_mut()
            .find(|it| it.up_to.is_none() && it.target == *target);
        if let Some(subscription) = open {
            subscription.up_to = Some(window.place(window.head()));
        }
    }

    /// Returns the size of the waiting unlogged events, in frames and bytes.
    pub(crate) fn unlogged_size(&self) -> (usize, usize) {
        self.unlogged.size()
    }

    /// Holds an unlogged event until the stream has received all records up to a place.
    pub(crate) fn push_unlogged(&mut self, after: LogPosition, frame: Frame) {
        self.unlogged.push(after, frame);
    }

    /// Removes the oldest unlogged event.
    pub(crate) fn pop_unlogged(&mut self) -> Option<Frame> {
        self.unlogged.pop()
    }

    /// Delivers the next records of the window. `synced` is set if the node has followed the log to
    /// its end since the client connected. `deep` is set if a backplane exists that can hold older
    /// records than the window.
    pub(crate) fn step(
        &mut self,
        window: &mut Window,
        to: Recipient<'_>,
        limit: Limit,
        (synced, deep): (bool, bool),
        out: &mut Frames,
    ) -> (CatchUpStep, Option<GapReason>) {
        if !self.is_in_log(window) {
            // The stream continues where the live streams do. Positions of the old log mean nothing
            // in the new log.
            self.miss_up_to(GapReason::Epoch, window.forgotten(), window);
        }
        self.verify(window);
        if self.given.position > window.head() && synced {
            self.miss_up_to(GapReason::Future, window.head(), window);
        }
        if self.given.position < window.forgotten() && !deep {
            self.miss_up_to(GapReason::Trimmed, window.forgotten(), window);
        }
        let reported = self.gap.take().map(|gap| {
            // A dialect can encode a gap as nothing.
            out.extend(Some(to.gap(&gap)).filter(|frame| !frame.is_empty()));
            gap.reason
        });
        (self.step_from_given(window, to, limit, out), reported)
    }

    fn step_from_given(
        &mut self,
        window: &mut Window,
        to: Recipient<'_>,
        limit: Limit,
        out: &mut Frames,
    ) -> CatchUpStep {
        let given = self.given.position;
        if given > window.head() {
            // The node has not yet followed the log up to here, if the log has this position.
            return if out.is_empty() {
                CatchUpStep::Wait
            } else {
                CatchUpStep::More
            };
        }
        if given < window.forgotten() {
            return if out.is_empty() {
                CatchUpStep::Backplane(given)
            } else {
                CatchUpStep::More
            };
        }
        if !window.index_after(given) {
            return CatchUpStep::More;
        }
        let mut step = StepFrames::new(out, limit);
        if !self.deliver(window, window.place(window.head()), to, &mut step) {
            return CatchUpStep::More;
        }
        while step.has_room()
            && let Some(frame) = self.unlogged.pop()
        {
            step.push(frame);
        }
        if self.unlogged.is_empty() {
            CatchUpStep::Done
        } else {
            CatchUpStep::More
        }
    }

    /// Delivers the stream's records of a page that was read from the backplane, except records
    /// that the window holds.
    pub(crate) fn feed(
        &mut self,
        page: &FetchedPage,
        window: &Window,
        to: Recipient<'_>,
        limit: Limit,
        out: &mut Frames,
    ) {
        if page.after.epoch == *window.epoch() && self.is_behind(window) {
            // The window holds all later records, whatever the page contains.
            let end = window.place(page.last.min(window.forgotten()));
            self.deliver(page, end, to, &mut StepFrames::new(out, limit));
        }
    }

    /// Delivers the stream's records up to a place, each after the unlogged events that precede it.
    /// Returns `false` if more of them are left.
    fn deliver(
        &mut self,
        records: &impl Records,
        end: LogPosition,
        to: Recipient<'_>,
        step: &mut StepFrames<'_>,
    ) -> bool {
        let given = self.given.position;
        let numbers = self.subscriptions.iter().map(|subscription| {
            let (after, up_to) = subscription.range(end.log);
            records.numbers(
                &subscription.target,
                after.max(given),
                up_to.min(end.position),
            )
        });
        let mut merged = Merged::new(numbers);
        let mut checked = 0;
        while let Some(number) = merged.next() {
            let Some(record) = records.get(number) else {
                continue;
            };
            let place = LogPosition {
                position: record.position,
                ..end
            };
            while step.has_room()
                && let Some(frame) = self.unlogged.pop_before(place)
            {
                step.push(frame);
            }
            if checked == STEP || !step.has_room() {
                // Records in between are for other streams.
                let before = records.before(number);
                self.given.position = before.map_or(given, |before| before.max(given));
                return false;
            }
            checked += 1;
            if let Some(frame) = to.frame(record.except, record.message) {
                step.push(frame.clone());
            }
        }
        self.given.position = given.max(end.position);
        true
    }

    /// Continues after a gap, because the backplane does not hold the next records. The window
    /// still delivers the records it holds, whatever the state of the backplane.
    pub(crate) fn lost(&mut self, reason: GapReason, to: Cursor, window: &Window) {
        if to.epoch != *window.epoch() {
            self.miss(reason, to, None);
        } else if self.is_behind(window) && to.position > self.given.position {
            self.miss_up_to(reason, to.position.min(window.forgotten()), window);
        }
    }

    /// Continues after a hole if it comes next.
    pub(crate) fn pass_over(&mut self, holes: &Holes, window: &Window) {
        if self.is_behind(window)
            && let Some(end) = holes.end_after(self.given.position)
        {
            let end = Cursor::new(window.epoch().clone(), end);
            self.lost(GapReason::Damaged, end, window);
        }
    }

    /// Returns `true` if the next records are older than those of the window.
    fn is_behind(&self, window: &Window) -> bool {
        self.is_in_log(window) && self.given.position < window.forgotten()
    }

    /// Continues before a position that the log does not have, once the window can tell.
    fn verify(&mut self, window: &Window) {
        let is_known = self.is_in_log(window) && self.given.position <= window.head();
        if self.is_verified || !is_known {
            return;
        }
        self.is_verified = true;
        if let Some(before) = window.before_foreign(self.given.position) {
            self.miss_up_to(GapReason::Invalid, before, window);
        }
    }

    fn is_in_log(&self, window: &Window) -> bool {
        self.log == Some(window.log())
    }

    fn miss_up_to(&mut self, reason: GapReason, to: Position, window: &Window) {
        let to = Cursor::new(window.epoch().clone(), to);
        self.miss(reason, to, Some(window.log()));
    }

    fn miss(&mut self, reason: GapReason, to: Cursor, log: Option<u32>) {
        let gap = Gap::new(reason, Some(self.given.to_id()), to.clone());
        self.gap = Some(match self.gap.take() {
            Some(unreported) => unreported.and(gap),
            None => gap,
        });
        (self.given, self.log, self.is_verified) = (to, log, true);
    }
}

/// Counts the published events among the frames that are not logged. A client cannot recover them
/// once they are dropped.
pub(crate) fn unlogged_in<'a>(frames: impl IntoIterator<Item = &'a Frame>) -> usize {
    frames
        .into_iter()
        .filter(|frame| frame.kind() == FrameKind::Event && frame.place().is_none())
        .count()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{
        Event, Retention, Topic, UserId,
        dialect::{DialectIndex, Dialects, message::Message},
        event::cursor::Epoch,
        id::client_id::ClientId,
    };

    const LIMIT: Limit = Limit {
        frames: 1000,
        bytes: 1 << 20,
    };

    fn cursor(position: u64) -> Cursor {
        Cursor::new(
            Epoch::new("e").expect("the test data is valid"),
            position.into(),
        )
    }

    fn topic() -> Target {
        Target::Topic(Topic::new("t").expect("the test data is valid"))
    }

    fn user() -> Target {
        Target::User(UserId::new("u").expect("the test data is valid"))
    }

    fn push(window: &mut Window, positions: std::ops::RangeInclusive<u64>, target: &Target) {
        for position in positions {
            let position = Position::from(position);
            let event = Event::text(format!("{position}"));
            let event = event.with_id(Cursor::new(window.epoch().clone(), position).to_id());
            let mark = crate::event::cursor::Mark::Logged(window.place(position));
            let message = Message::new(event, None, mark);
            window.push(position, target, &[], &message, 0);
        }
    }

    /// Steps until the stream is live or waits. Returns the frames' texts and the last step.
    fn run(catching: &mut CatchUp, window: &mut Window, deep: bool) -> (String, CatchUpStep) {
        let dialects = Dialects::default();
        let to = Recipient {
            id: ClientId::of_number(0),
            dialects: &dialects,
            dialect: DialectIndex::default(),
        };
        let mut out = Frames::new();
        loop {
            let (step, _) = catching.step(window, to, LIMIT, (true, deep), &mut out);
            if step != CatchUpStep::More {
                let frames = out.iter().map(|frame| frame.as_event().to_vec());
                let text = frames.flatten().collect();
                return (
                    String::from_utf8(text).expect("the test data is valid"),
                    step,
                );
            }
        }
    }

    /// A log that lost its end assigns the positions again.
    #[test]
    fn reused_positions_are_another_log() {
        let mut window = Window::new(cursor(0).epoch, Position::ZERO, Retention::default());
        push(&mut window, 1..=100, &Target::All);
        let mut catching = CatchUp::from(cursor(95), [Target::All, user()], &window);
        catching.join(topic(), &window);
        catching.leave(&user(), &window);
        let after = window.place(Position::from(97));
        let held = Dialects::default().encode(DialectIndex::default(), |dialect, out| {
            dialect.event(&Event::text("held"), out);
        });
        catching.push_unlogged(after, held);
        drop(window.restart(cursor(90)));
        push(&mut window, 91..=93, &Target::All);
        push(&mut window, 94..=96, &topic());
        push(&mut window, 97..=98, &user());
        let (text, step) = run(&mut catching, &mut window, false);
        assert_eq!(step, CatchUpStep::Done);
        assert!(text.contains("epoch"), "{text}");
        let found: Vec<_> = text.split("data: ").skip(2).collect();
        let found: Vec<_> = found
            .iter()
            .filter_map(|part| part.lines().next())
            .collect();
        assert_eq!(found, ["held", "91", "92", "93", "94", "95", "96"]);
    }

    /// A backplane that has lost records does not hide those that the window holds.
    #[test]
    fn window_delivers_what_the_backplane_lost() {
        for lost_to in [90, 150] {
            let mut window = Window::new(cursor(0).epoch, 80.into(), Retention::default());
            push(&mut window, 81..=100, &Target::All);
            let mut catching = CatchUp::from(cursor(50), [Target::All], &window);
            let (_, step) = run(&mut catching, &mut window, true);
            assert_eq!(step, CatchUpStep::Backplane(50.into()));
            catching.lost(GapReason::Trimmed, cursor(lost_to), &window);
            let (text, step) = run(&mut catching, &mut window, true);
            assert_eq!(step, CatchUpStep::Done);
            assert_eq!(text.matches("trimmed").count(), 1, "{text}");
            assert!(
                text.contains("data: 81\n") && text.contains("data: 100\n"),
                "{text}"
            );
            assert_eq!(*catching.given(), cursor(100));
        }
    }
}
