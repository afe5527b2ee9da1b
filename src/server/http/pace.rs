//! The settings of an account's pace in a request: each may be left out; null turns it off.

use super::input::Input;
use crate::{
    domain::{
        limit::{GAP_MAX, LimitWindow, Pace, RATE_MAX, Warmup},
        time::Timestamp,
    },
    server::bucket::is_zone,
};

/// The name of the policy for unknown outcomes.
pub fn on_unknown(pace: &Pace) -> &'static str {
    if pace.resends_unknown { "resend" } else { "hold" }
}

/// `used_elsewhere_today`, and the pace as it shall be when anything of it is named.
pub fn read(input: &mut Input, before: &Pace, now: Timestamp) -> (Option<u32>, Option<Pace>) {
    let elsewhere = whole(input, "used_elsewhere_today", 0, 100_000).flatten();
    let mut pace = before.clone();
    if let Some(rate) = whole(input, "rate_per_second", 1, RATE_MAX) {
        pace.rate_per_second = rate;
    }
    if let Some(gap) = whole(input, "min_gap_seconds", 1, GAP_MAX) {
        pace.min_gap_seconds = gap;
    }
    if input.has("time_zone") {
        let zone = input.text("time_zone");
        if is_zone(&zone) {
            pace.time_zone = zone;
        } else {
            input.errors.add("time_zone", "must be a zone like Europe/Berlin");
        }
    }
    if input.has("limit_window") {
        match LimitWindow::from_name(&input.text("limit_window")) {
            Some(window) => pace.limit_window = window,
            None => input.errors.add("limit_window", "must be day or rolling"),
        }
    }
    if input.has("on_unknown") {
        match input.text("on_unknown").as_str() {
            "hold" => pace.resends_unknown = false,
            "resend" => pace.resends_unknown = true,
            _ => input.errors.add("on_unknown", "must be hold or resend"),
        }
    }
    let (start, step) = (whole(input, "warmup_start", 1, 100_000), whole(input, "warmup_step", 0, 100_000));
    match (start, step) {
        (None, None) => {}
        (Some(None), _) => pace.warmup = None,
        (start, step) => {
            let old = pace.warmup;
            let start = start.flatten().or(old.map(|warmup| warmup.start));
            let step = step.flatten().or(old.map(|warmup| warmup.step)).unwrap_or(0);
            match start {
                Some(start) => pace.warmup = Some(Warmup { start, step, since: old.map_or(now, |old| old.since) }),
                None => input.errors.add("warmup_start", "is required for a warm-up"),
            }
        }
    }
    let is_changed = pace != *before;
    (elsewhere, is_changed.then_some(pace))
}

/// A whole number within bounds; `Some(None)` when it is null, `None` when it is not there.
#[expect(clippy::option_option, reason = "not there, null, and a number are three things")]
fn whole(input: &mut Input, name: &str, least: u32, most: u32) -> Option<Option<u32>> {
    if !input.has(name) {
        return None;
    }
    let text = input.number(name);
    if text.is_empty() {
        return Some(None);
    }
    let number = text.parse::<u32>().ok().filter(|number| (least..=most).contains(number));
    if number.is_none() && input.errors.of(name).is_none() {
        input.errors.add(name, format!("must be a whole number from {least} to {most}"));
    }
    number.map(Some)
}
