//! What becomes of an account's queue: how much of it leaves today, and how much is left for tomorrow. An estimate from
//! the limits and the pace; a provider may still have its own mind.

use super::{
    account::{Account, ConnectionStatus},
    message::WaitingReason,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// The most messages of one queue that are counted for a forecast.
pub const COUNT_MAX: u32 = 100_000;

/// The rest of today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Today {
    /// Sent already, with what is under way.
    pub used: u32,
    /// Waiting, and due before the day ends; counted up to [`COUNT_MAX`].
    pub queued: u32,
    /// The limit of the day.
    pub limit: u32,
    /// How many of those that wait leave today.
    pub will_send: u32,
}

/// The day after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tomorrow {
    /// How many leave then of what waits now.
    pub will_send: u32,
    /// The limit of that day.
    pub limit: u32,
}

/// Today and tomorrow of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// The rest of today.
    pub today: Today,
    /// The day after.
    pub tomorrow: Tomorrow,
    /// When the limit of today is used up; `None` when it is not.
    pub runs_out_at: Option<Timestamp>,
}

/// How much of a queue is due before two midnights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due {
    /// Before the end of today.
    pub today: u32,
    /// Before the end of tomorrow, those of today included.
    pub tomorrow: u32,
}

impl Forecast {
    /// Of an account with its usage and its block, as it is `now`; `midnight` ends its day.
    pub fn of(account: &Account, due: Due, now: Timestamp, midnight: Timestamp) -> Self {
        let pace = &account.pace;
        let (limit, next_limit) =
            (pace.limit_of_day(account.daily_limit, now), pace.limit_of_day(account.daily_limit, midnight));
        let can_send = account.is_active && account.connection_status != ConnectionStatus::Error;
        // The limit is counted below; any other block moves the beginning.
        let block = account.block.as_ref().filter(|block| block.reason != WaitingReason::DailyLimit);
        let begin = block.and_then(|block| block.until).map_or(now, |until| until.max(now));
        let interval = pace.interval(1, 0);
        let left = limit.saturating_sub(account.sent_today);
        let fits = if begin >= midnight { 0 } else { in_time(midnight.0 - begin.0, interval) };
        let will_send = if can_send { due.today.min(left).min(fits) } else { 0 };
        let runs_out_at = match &account.block {
            _ if left == 0 => Some(account.block.as_ref().map_or(now, |block| block.since.min(now))),
            _ if can_send && left > 0 && will_send == left => {
                Some(begin.plus(i64::from(left - 1).saturating_mul(interval)))
            }
            _ => None,
        };
        let rest = due.tomorrow.saturating_sub(will_send);
        let next = if can_send { rest.min(next_limit).min(in_time(super::time::DAY, interval)) } else { 0 };
        Self {
            today: Today { used: account.sent_today, queued: due.today, limit, will_send },
            tomorrow: Tomorrow { will_send: next, limit: next_limit },
            runs_out_at,
        }
    }

    /// How many of today's queue wait for another day.
    pub fn left_over(&self) -> u32 {
        self.today.queued.saturating_sub(self.today.will_send)
    }

    /// The same for people, on the page and at the command line.
    pub fn words(&self) -> String {
        let (today, left) = (self.today, self.left_over());
        match (today.queued, left) {
            (0, _) => "Nothing waits".to_owned(),
            (queued, 0) => format!("All {queued} leave today"),
            (_, left) => {
                let now =
                    if today.will_send == 0 { String::new() } else { format!("{} leave today, ", today.will_send) };
                let then = self.tomorrow.will_send;
                let rest = if then < left { format!(", {then} of them leave then") } else { String::new() };
                format!("{now}{} wait for tomorrow{rest}", count(left))
            }
        }
    }
}

/// A number that may have been counted no further.
pub fn count(number: u32) -> String {
    if number >= COUNT_MAX { format!("{COUNT_MAX} or more") } else { number.to_string() }
}

/// How many messages leave in so many milliseconds, one every `interval`.
fn in_time(millis: i64, interval: i64) -> u32 {
    if interval <= 0 { u32::MAX } else { u32::try_from(millis / interval).unwrap_or(u32::MAX).saturating_add(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        channel::{Channel, Provider},
        limit::{Pace, Warmup},
        message::Waiting,
        time::{DAY, HOUR, MINUTE},
    };

    const NOW: Timestamp = Timestamp(10 * DAY + 20 * HOUR);
    const MIDNIGHT: Timestamp = Timestamp(11 * DAY);

    fn account() -> Account {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id");
        let (provider, address) = (Provider::Twilio, "+14155550132".to_owned());
        Account {
            sent_today: 60,
            ..Account::connected(id, (provider, Channel::Sms), address, "Sales".to_owned(), 100, NOW)
        }
    }

    fn numbers(account: &Account, today: u32, tomorrow: u32) -> (u32, u32, u32, Option<Timestamp>) {
        let forecast = Forecast::of(account, Due { today, tomorrow }, NOW, MIDNIGHT);
        (forecast.today.will_send, forecast.left_over(), forecast.tomorrow.will_send, forecast.runs_out_at)
    }

    #[test]
    fn what_is_over_the_limit_is_left_for_tomorrow() {
        assert_eq!(numbers(&account(), 0, 0), (0, 0, 0, None));
        assert_eq!(numbers(&account(), 39, 39), (39, 0, 0, None));
        assert_eq!(numbers(&account(), 70, 75), (40, 30, 35, Some(NOW)));
        assert_eq!(numbers(&account(), 900, 900), (40, 860, 100, Some(NOW)));
        assert_eq!(numbers(&Account { sent_today: 130, ..account() }, 5, 5), (0, 5, 5, Some(NOW)));
    }

    #[test]
    fn a_pace_says_when_the_limit_runs_out_and_what_the_day_still_holds() {
        let slow = |seconds| Account { pace: Pace { min_gap_seconds: Some(seconds), ..Pace::default() }, ..account() };
        assert_eq!(numbers(&slow(60), 50, 50), (40, 10, 10, Some(NOW.plus(39 * MINUTE))));
        // Four hours hold nine messages, one every half hour.
        assert_eq!(numbers(&slow(1_800), 50, 50), (9, 41, 41, None));
    }

    #[test]
    fn who_cannot_send_sends_nothing() {
        assert_eq!(numbers(&Account { is_active: false, ..account() }, 5, 5), (0, 5, 0, None));
        let stopped = Account { connection_status: ConnectionStatus::Error, ..account() };
        assert_eq!(numbers(&stopped, 5, 5), (0, 5, 0, None));
    }

    #[test]
    fn a_pause_of_the_provider_moves_the_beginning() {
        let blocked = |until| Account {
            block: Some(Waiting {
                reason: WaitingReason::Provider,
                since: NOW,
                until: Some(until),
                detail: String::new(),
            }),
            ..account()
        };
        assert_eq!(numbers(&blocked(MIDNIGHT), 5, 5), (0, 5, 5, None));
        assert_eq!(numbers(&blocked(NOW.plus(HOUR)), 50, 50), (40, 10, 10, Some(NOW.plus(HOUR))));
    }

    #[test]
    fn a_warm_up_has_another_limit_tomorrow() {
        let warmup = Some(Warmup { start: 50, step: 10, since: Timestamp(9 * DAY) });
        let forecast = Forecast::of(
            &Account { pace: Pace { warmup, ..Pace::default() }, ..account() },
            Due { today: 500, tomorrow: 500 },
            NOW,
            MIDNIGHT,
        );
        assert_eq!((forecast.today.limit, forecast.tomorrow.limit), (60, 70));
        assert_eq!((forecast.today.will_send, forecast.tomorrow.will_send), (0, 70));
    }

    #[test]
    fn the_words_say_what_is_left() {
        let of = |queued, will_send, then| {
            Forecast {
                today: Today { used: 0, queued, limit: 100, will_send },
                tomorrow: Tomorrow { will_send: then, limit: 100 },
                runs_out_at: None,
            }
            .words()
        };
        assert_eq!(of(0, 0, 0), "Nothing waits");
        assert_eq!(of(7, 7, 0), "All 7 leave today");
        assert_eq!(of(250, 100, 100), "100 leave today, 150 wait for tomorrow, 100 of them leave then");
        assert_eq!(of(104, 100, 4), "100 leave today, 4 wait for tomorrow");
        assert_eq!(of(4, 0, 4), "4 wait for tomorrow");
        assert!(of(COUNT_MAX, 0, 0).contains("100000 or more"));
    }
}
