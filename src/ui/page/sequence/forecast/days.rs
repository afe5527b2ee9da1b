//! What each account sends on each day, as bars, and the same numbers as a table.

use crate::domain::{
    id::AccountId,
    rehearsal::AccountDay,
    time::{DAY, Timestamp},
};
use leptos::prelude::*;
use std::collections::BTreeMap;

/// The height of a drawing in its own units.
const HEIGHT: u64 = 1_000;
/// Room for days: fewer would make bars as wide as walls.
const DAYS_MIN: i64 = 10;

/// Days since 1970.
fn number(day: &str) -> i64 {
    Timestamp::parse(&format!("{day}T00:00:00Z")).map_or(0, |at| at.0 / DAY)
}

/// Where the two parts of a bar begin, and how high they are: what else leaves, and on it what is forecast. `most` is the number
/// that fills the drawing.
fn parts(day: &AccountDay, most: u32) -> [(u64, u64); 2] {
    let scaled = |count: u32| (u64::from(count) * HEIGHT / u64::from(most.max(1))).min(HEIGHT);
    let (others, all) = (scaled(day.used.saturating_sub(day.sent)), scaled(day.used.max(day.sent)));
    [(HEIGHT - others, others), (HEIGHT - all, all - others)]
}

/// The drawings, one an account, and the table behind a toggle.
pub fn section(days: &[AccountDay]) -> impl IntoView + use<> {
    let mut accounts = BTreeMap::<AccountId, Vec<AccountDay>>::new();
    for day in days {
        accounts.entry(day.account_id.clone()).or_default().push(day.clone());
    }
    let numbers: Vec<i64> = days.iter().map(|day| number(&day.day)).collect();
    let first = numbers.iter().min().copied().unwrap_or_default();
    let room = (numbers.iter().max().copied().unwrap_or_default() - first + 1).max(DAYS_MIN);
    let ends = days.first().zip(days.last()).map(|(first, last)| (first.day.clone(), last.day.clone()));
    let charts = accounts.into_values().map(move |days| chart(&days, first, room)).collect::<Vec<_>>();
    let rows = days.iter().map(row).collect::<Vec<_>>();
    ends.map(|(from, to)| {
        let range = if from == to { from } else { format!("{from} to {to}") };
        view! {
            <h3>"Day by day"</h3>
            <p class="soft small number">{format!("{range}, by each account's days")}</p>
            <div class="accounts-by-day">{charts}</div>
            <p class="row legend soft small">
                <span class="own">"This forecast"</span>
                <span class="full">"The limit of the day is reached"</span>
                <span class="others">"Other messages"</span>
            </p>
            <details class="numbers">
                <summary>"Show the numbers"</summary>
                <div class="scroll" tabindex="0" role="region" aria-label="Numbers of the forecast by day">
                    <table>
                        <thead>
                            <tr>
                                <th scope="col">"Day"</th>
                                <th scope="col">"Account"</th>
                                <th scope="col">"Forecast"</th>
                                <th scope="col">"In all"</th>
                                <th scope="col">"Limit"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </details>
        }
    })
}

fn chart(days: &[AccountDay], first: i64, room: i64) -> AnyView {
    let most = days.iter().map(|day| day.used.max(day.sent)).max().unwrap_or_default();
    let sent: u32 = days.iter().map(|day| day.sent).fold(0, u32::saturating_add);
    let full = days.iter().filter(|day| day.is_full).count();
    let name = days.first().map(|day| day.account.clone()).unwrap_or_default();
    let count =
        |number: usize, one: &str, many: &str| if number == 1 { one.to_owned() } else { format!("{number} {many}") };
    let mut words = format!("{sent} on {}", count(days.len(), "1 day", "days"));
    if full > 0 {
        words = format!("{words}, the limit is reached on {}", count(full, "1 of them", "of them"));
    }
    let label = format!("{name}: {words}, at most {most} a day");
    let bars = days.iter().map(|day| bar(day, number(&day.day) - first, most)).collect::<Vec<_>>();
    view! {
        <figure class="chart">
            <figcaption class="small">
                <b>{name}</b>
                <span class="soft number">" " {words}</span>
            </figcaption>
            <svg role="img" aria-label=label viewBox=format!("0 0 {} {HEIGHT}", room * 10) preserveAspectRatio="none">
                {bars}
            </svg>
        </figure>
    }
    .into_any()
}

fn bar(day: &AccountDay, at: i64, most: u32) -> AnyView {
    let reached = if day.is_full { ", limit reached" } else { "" };
    let words = format!("{}: {} of this forecast, {} of {} in all{reached}", day.day, day.sent, day.used, day.limit);
    let [others, own] = parts(day, most);
    let class = if day.is_full { "full" } else { "own" };
    let rect = |class: &'static str, (y, height): (u64, u64)| {
        (height > 0).then(|| view! { <rect class=class x=at * 10 + 1 y=y width="8" height=height /> })
    };
    view! {
        <g>
            <title>{words}</title>
            <rect class="all" x=at * 10 y="0" width="10" height=HEIGHT />
            {rect("others", others)}
            {rect(class, own)}
        </g>
    }
    .into_any()
}

fn row(day: &AccountDay) -> AnyView {
    let limit = if day.is_full { format!("{}, limit reached", day.limit) } else { day.limit.to_string() };
    view! {
        <tr>
            <th scope="row">{day.day.clone()}</th>
            <td>{day.account.clone()}</td>
            <td>{day.sent}</td>
            <td>{day.used}</td>
            <td>{limit}</td>
        </tr>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(sent: u32, used: u32) -> AccountDay {
        AccountDay {
            day: "2026-11-22".to_owned(),
            account_id: AccountId::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV").expect("an id"),
            account: String::new(),
            sent,
            used,
            limit: 10,
            is_full: false,
        }
    }

    #[test]
    fn a_bar_stands_on_what_else_leaves_and_never_grows_out_of_the_drawing() {
        assert_eq!(parts(&day(5, 10), 10), [(500, 500), (0, 500)]);
        assert_eq!(parts(&day(5, 5), 10), [(1_000, 0), (500, 500)]);
        assert_eq!(parts(&day(7, 5), 7), [(1_000, 0), (0, 1_000)]);
        assert_eq!(parts(&day(u32::MAX, u32::MAX), u32::MAX), [(1_000, 0), (0, 1_000)]);
    }

    #[test]
    fn days_are_numbers() {
        assert_eq!(number("2026-03-01") - number("2026-02-27"), 2);
    }
}
