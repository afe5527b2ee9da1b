//! What becomes of each account's queue today and tomorrow.

use crate::{
    domain::{dashboard::Outlook, forecast::count},
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
                {forecast.words()}
                {forecast.runs_out_at.map(|at| view! { <small class="soft line">"Limit reached " <Time at /></small> })}
            </td>
        </tr>
    }
    .into_any()
}
