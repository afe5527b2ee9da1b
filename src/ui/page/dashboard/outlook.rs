//! What becomes of each account's queue today and tomorrow.

use crate::{
    domain::{
        dashboard::Outlook,
        forecast::{COUNT_MAX, Forecast},
    },
    ui::part::{badge::ChannelTile, time::Time, usage_bar::usage_bar},
};
use leptos::prelude::*;

/// A row for each account.
pub fn section(outlooks: Memo<Vec<Outlook>>) -> AnyView {
    view! {
        <section class="stack" aria-labelledby="forecast">
            <h2 id="forecast">"Forecast"</h2>
            {move || outlooks.with(|outlooks| if outlooks.is_empty() { nobody() } else { table(outlooks) })}
        </section>
    }
    .into_any()
}

fn nobody() -> AnyView {
    view! {
        <div class="card inner">
            <p class="soft">
                "There is no account yet, so nothing can be sent. " <a href="/accounts?add=1">"Connect the first one"</a>
            </p>
        </div>
    }
    .into_any()
}

fn table(outlooks: &[Outlook]) -> AnyView {
    view! {
        <div class="card table">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Account"</th>
                        <th scope="col">"Sent today"</th>
                        <th scope="col">"Queued"</th>
                        <th scope="col">"What comes"</th>
                    </tr>
                </thead>
                <tbody>{outlooks.iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(outlook: &Outlook) -> AnyView {
    let (account, forecast) = (&outlook.account, outlook.forecast);
    let name = account.display_name.clone();
    view! {
        <tr>
            <td>
                <div class="who">
                    <ChannelTile channel=account.channel />
                    <div>
                        <b>{name.clone()}</b>
                        <span>{account.address.clone()}</span>
                    </div>
                </div>
            </td>
            <td class="wide">{usage_bar(forecast.today.used, forecast.today.limit, &name)}</td>
            <td class="number whole">{format!("{} queued", count(forecast.today.queued))}</td>
            <td class="wide">
                {words(&forecast)}
                {forecast.runs_out_at.map(|at| view! { <small class="soft line">"Limit reached " <Time at /></small> })}
            </td>
        </tr>
    }
    .into_any()
}

/// A number that may have been counted no further.
fn count(number: u32) -> String {
    if number >= COUNT_MAX { format!("{COUNT_MAX} or more") } else { number.to_string() }
}

fn words(forecast: &Forecast) -> String {
    let (today, left) = (forecast.today, forecast.left_over());
    match (today.queued, left) {
        (0, _) => "Nothing waits".to_owned(),
        (queued, 0) => format!("All {queued} leave today"),
        (_, left) => {
            let now = if today.will_send == 0 { String::new() } else { format!("{} leave today, ", today.will_send) };
            let then = forecast.tomorrow.will_send;
            let rest = if then < left { format!(", {then} of them leave then") } else { String::new() };
            format!("{now}{} wait for tomorrow{rest}", count(left))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::forecast::{Today, Tomorrow};

    #[test]
    fn the_words_say_what_is_left() {
        let of = |queued, will_send, then| {
            words(&Forecast {
                today: Today { used: 0, queued, limit: 100, will_send },
                tomorrow: Tomorrow { will_send: then, limit: 100 },
                runs_out_at: None,
            })
        };
        assert_eq!(of(0, 0, 0), "Nothing waits");
        assert_eq!(of(7, 7, 0), "All 7 leave today");
        assert_eq!(of(250, 100, 100), "100 leave today, 150 wait for tomorrow, 100 of them leave then");
        assert_eq!(of(104, 100, 4), "100 leave today, 4 wait for tomorrow");
        assert_eq!(of(4, 0, 4), "4 wait for tomorrow");
        assert!(of(COUNT_MAX, 0, 0).contains("100000 or more"));
    }
}
