//! The dashboard: a few rows of numbers, what needs a person, and a forecast for each account.

use super::account;
use crate::{
    domain::{
        dashboard::{DAYS, Dashboard, Day, Outlook, UNKNOWN_SHOWN, Unknown},
        id::OrganizationId,
        time::{DAY, Timestamp},
    },
    server::{App, Who, error::Error, store},
};

/// Everything that the page shows, in one answer.
pub async fn load(who: &Who) -> Result<Dashboard, Error> {
    of(&who.app, &who.organization.id).await
}

/// The same for whoever acts for all of the organization.
pub(super) async fn of(app: &App, organization: &OrganizationId) -> Result<Dashboard, Error> {
    let now = app.clock.now();
    let mut accounts = account::list_of(app, organization).await?;
    accounts.extend(account::list_platform(app, organization).await?);
    let mut conn = app.db.read().await?;
    let mut days = days_until(now);
    let since = days.first().map_or_else(String::new, |first| first.day.clone());
    for (day, channel, kind, count) in store::tally::list(&mut conn, organization, &since).await? {
        if let Some(known) = days.iter_mut().find(|known| known.day == day) {
            known.note(&channel, &kind, u32::try_from(count).unwrap_or(u32::MAX));
        }
    }
    let first = store::dashboard::list_unknown(&mut conn, organization, UNKNOWN_SHOWN).await?;
    let count = store::dashboard::count_unknown(&mut conn, organization).await?;
    let mut outlooks = Vec::with_capacity(accounts.len());
    for account in accounts {
        let forecast = account::forecast_of(&mut conn, organization, &account, now).await?;
        // The platform default is of interest as far as it is used.
        if !account.is_platform || forecast.today.queued > 0 || account.sent_today > 0 {
            outlooks.push(Outlook { account, forecast });
        }
    }
    Ok(Dashboard { days, unknown: Unknown { count, first }, outlooks })
}

/// The last days without numbers, oldest first.
fn days_until(now: Timestamp) -> Vec<Day> {
    let back = |n: usize| now.plus(-DAY * i64::try_from(n).unwrap_or(0)).to_string();
    (0..DAYS).rev().map(|n| Day { day: back(n)[..10].to_owned(), ..Day::default() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn today_is_the_last_of_fourteen_days() {
        let days = days_until(Timestamp::parse("2026-03-05T23:59:59Z").expect("an instant"));
        assert_eq!((days.len(), days[0].day.as_str(), days[13].day.as_str()), (14, "2026-02-20", "2026-03-05"));
    }
}
