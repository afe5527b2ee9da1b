//! The last days as stacked bars, and the same numbers as a table.

use crate::{
    domain::{
        channel::Channel,
        dashboard::{Counts, DAYS, Day},
    },
    ui::part::badge::ChannelBadge,
};
use leptos::prelude::*;

/// Reads one of a channel's numbers.
type Number = fn(&Counts) -> u32;

/// The height of the drawing in its own units.
const HEIGHT: u32 = 1_000;

/// A part of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    channel: Channel,
    y: u32,
    height: u32,
}

/// The parts of a day's bar from the bottom up; `most` is the number that fills the drawing.
fn pieces(day: &Day, most: u32) -> Vec<Piece> {
    let scaled = |count: u32| {
        u32::try_from(u64::from(count) * u64::from(HEIGHT) / u64::from(most.max(1))).unwrap_or(HEIGHT).min(HEIGHT)
    };
    let mut below = 0_u32;
    let mut pieces = Vec::new();
    for (channel, counts) in Channel::ALL.into_iter().zip(day.counts) {
        let (from, to) = (scaled(below), scaled(below.saturating_add(counts.accepted)));
        below = below.saturating_add(counts.accepted);
        if to > from {
            pieces.push(Piece { channel, y: HEIGHT - to, height: to - from });
        }
    }
    pieces
}

/// The drawing with its legend, and the table behind a toggle.
pub fn section(days: Memo<Vec<Day>>) -> AnyView {
    view! {
        <section class="card inner stack" aria-labelledby="days">
            <div class="row between">
                <h2 id="days">"The last 14 days"</h2>
                <div class="row" aria-hidden="true">
                    {Channel::ALL.map(|channel| view! { <ChannelBadge channel /> }).collect_view()}
                </div>
            </div>
            {move || days.with(|days| bars(days))}
            <details class="numbers">
                <summary>"Show the numbers"</summary>
                <div class="scroll" tabindex="0" role="region" aria-label="Numbers of the last 14 days">
                    {move || days.with(|days| table(days))}
                </div>
            </details>
        </section>
    }
    .into_any()
}

fn bars(days: &[Day]) -> AnyView {
    let most = days.iter().map(|day| day.sum(|counts| counts.accepted)).max().unwrap_or(0);
    let all: u32 = days.iter().map(|day| day.sum(|counts| counts.accepted)).fold(0, u32::saturating_add);
    let label = format!("Accepted messages a day: {all} in all, {most} on the busiest day");
    let ends = |day: Option<&Day>| day.map(|day| day.day.clone()).unwrap_or_default();
    let drawn: Vec<AnyView> = days.iter().zip(0_u32..).map(|(day, at)| bar(day, at, most)).collect();
    let scale = if all == 0 { "Nothing was accepted yet".to_owned() } else { format!("Accepted, up to {most} a day") };
    view! {
        <figure class="chart">
            <p class="soft small number">{scale}</p>
            <svg role="img" aria-label=label viewBox=format!("0 0 {} {HEIGHT}", DAYS * 10) preserveAspectRatio="none">
                {drawn}
            </svg>
            <figcaption class="row between soft small number">
                <span>{ends(days.first())}</span>
                <span>{ends(days.last())}</span>
            </figcaption>
        </figure>
    }
    .into_any()
}

fn bar(day: &Day, at: u32, most: u32) -> AnyView {
    let words: Vec<String> = Channel::ALL
        .into_iter()
        .zip(day.counts)
        .map(|(channel, counts)| format!("{} {}", counts.accepted, channel.label()))
        .collect();
    let rects = pieces(day, most)
        .into_iter()
        .map(|piece| {
            view! {
                <rect
                    class=piece.channel.as_str()
                    x=at * 10 + 1
                    y=piece.y
                    width="8"
                    height=piece.height
                />
            }
        })
        .collect_view();
    view! {
        <g>
            <title>{format!("{}: {}", day.day, words.join(", "))}</title>
            <rect class="all" x=at * 10 y="0" width="10" height=HEIGHT />
            {rects}
        </g>
    }
    .into_any()
}

fn table(days: &[Day]) -> AnyView {
    const SUMS: [(&str, Number); 3] = [
        ("Delivered", |counts| counts.delivered),
        ("Failed", |counts| counts.failed),
        ("Received", |counts| counts.received),
    ];
    let row = |day: &Day| {
        let accepted = day.counts.iter().map(|counts| counts.accepted);
        let sums = SUMS.iter().map(|(_, of)| day.sum(*of));
        let cells: Vec<_> = accepted.chain(sums).map(|count| view! { <td>{count}</td> }).collect();
        view! {
            <tr>
                <th scope="row">{day.day.clone()}</th>
                {cells}
            </tr>
        }
    };
    let heads = Channel::ALL.into_iter().map(Channel::label).chain(SUMS.iter().map(|(name, _)| *name));
    view! {
        <table>
            <thead>
                <tr>
                    <th scope="col">"Day"</th>
                    {heads.map(|name| view! { <th scope="col">{name}</th> }).collect_view()}
                </tr>
            </thead>
            <tbody>{days.iter().rev().map(row).collect_view()}</tbody>
        </table>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_stacked_without_gaps_and_never_higher_than_the_drawing() {
        let mut day = Day::default();
        for (channel, count) in [("whatsapp", 1), ("sms", 1), ("email", 1)] {
            day.note(channel, "accepted", count);
        }
        let pieces = pieces(&day, 3);
        assert_eq!(
            pieces.iter().map(|piece| (piece.y, piece.height)).collect::<Vec<_>>(),
            [(667, 333), (334, 333), (0, 334)]
        );
        assert!(super::pieces(&Day::default(), 0).is_empty());
        day.note("sms", "accepted", u32::MAX);
        assert!(super::pieces(&day, 3).iter().all(|piece| piece.y + piece.height <= HEIGHT));
    }
}
