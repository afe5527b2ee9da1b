//! The settings of an account's pace in a request: each may be left out; null turns it off.

use super::input::Input;
use crate::{
    domain::{
        limit::{Pace, PaceForm},
        time::Timestamp,
    },
    server::bucket::is_zone,
};

/// The name of the policy for unknown outcomes.
pub fn on_unknown(pace: &Pace) -> &'static str {
    if pace.resends_unknown { "resend" } else { "hold" }
}

/// `used_elsewhere_today`, and the pace as it shall be when anything of it changes.
pub fn read(input: &mut Input, before: &Pace, now: Timestamp) -> (Option<u32>, Option<Pace>) {
    let mut form = PaceForm::default();
    for (name, is_number) in PaceForm::FIELDS {
        if input.has(name) {
            let text = if is_number { input.number(name) } else { input.text(name) };
            form.0.push((name, text));
        }
    }
    match form.parse(before, now, is_zone) {
        Ok((elsewhere, pace)) => (elsewhere, (pace != *before).then_some(pace)),
        Err(errors) => {
            // What is of another type altogether was told already.
            for error in
                errors.0.into_iter().filter(|error| input.errors.of(&error.field).is_none()).collect::<Vec<_>>()
            {
                input.errors.add(&error.field, error.message);
            }
            (None, None)
        }
    }
}
