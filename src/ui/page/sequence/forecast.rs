//! The forecast of a sequence or a campaign, on its page. Whether it is shown is in the address.
//!
//! To make one takes seconds. So the server draws the page without it, and the browser asks for it; without a script the page is
//! asked for once more, and comes with it.

use super::{HERE, progress::refused};
use crate::{
    api::{campaign::forecast_sequence, error::ApiError, lead::list_tags},
    domain::{
        campaign::{Excluded, reason_label},
        id::AccountId,
        rehearsal::{LeftOut, Planned, Rehearsal},
    },
    ui::part::{error_box::ErrorBox, hydrated::Hydrated, pager::address, select::entries, time::Time},
};
use leptos::{either::EitherOf4, prelude::*};
use leptos_router::hooks::{use_params_map, use_query_map};
use std::collections::BTreeMap;

mod days;

/// The parameter of the address.
const ASKED: &str = "forecast";
/// What it is when the server is to wait for the forecast.
const WHOLE: &str = "whole";
/// Names that are shown of those who are left out for one reason.
const NAMES: usize = 50;

/// A forecast, or nothing while nobody makes it.
pub type Made = Resource<Result<Option<Rehearsal>, ApiError>>;

/// Whether the address asks for a forecast, and whether it is to be made now.
pub fn asked() -> Memo<(bool, bool)> {
    let (query, hydrated) = (use_query_map(), Hydrated::get());
    Memo::new(move |_| match query.with(|query| query.get(ASKED)).as_deref() {
        None | Some("") => (false, false),
        Some(WHOLE) => (true, true),
        Some(_) => (true, hydrated.get()),
    })
}

/// What is asked of a sequence: tag, search, and whether everybody is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Whom {
    tag: String,
    q: String,
    all: bool,
    /// False as long as nobody has chosen.
    is_chosen: bool,
}

/// On the page of a sequence: for whom it would be, and what would come of that.
#[component]
pub fn ForecastOfSequence() -> impl IntoView {
    let (asked, query, params) = (asked(), use_query_map(), use_params_map());
    let id = Memo::new(move |_| params.with(|params| params.get("id")).unwrap_or_default());
    let whom = Memo::new(move |_| {
        query.with(|query| {
            let text = |name: &str| query.get(name).unwrap_or_default();
            let is_chosen = query.get("q").is_some() || query.get("tag").is_some() || query.get("all").is_some();
            Whom { tag: text("tag"), q: text("q"), all: text("all") == "yes", is_chosen }
        })
    });
    let panel = move || {
        let made = Resource::new(
            move || (id.get(), whom.get(), asked.get().1),
            async |(id, whom, is_now)| {
                if is_now && whom.is_chosen {
                    forecast_sequence(id, whom.tag, whom.q, whom.all).await.map(Some)
                } else {
                    Ok(None)
                }
            },
        );
        let whole = Signal::derive(move || {
            let Whom { tag, q, all, .. } = whom.get();
            let all = all.then_some("yes");
            address("", [(ASKED, Some(WHOLE)), ("tag", Some(&*tag)), ("q", Some(&*q)), ("all", all)])
        });
        let chosen = Memo::new(move |_| whom.with(|whom| whom.is_chosen));
        let edit = format!("{HERE}/{}?edit=1", id.get_untracked());
        view! {
            <section class="card inner stack forecast" aria-labelledby="forecast">
                <div class="row between">
                    <h2 id="forecast">"Forecast"</h2>
                    <a class="btn small quiet" href=format!("{HERE}/{}", id.get_untracked()) data-noscroll="">
                        "Close"
                    </a>
                </div>
                <Choose id whom />
                {move || {
                    let is_chosen = chosen.try_get().unwrap_or_default();
                    is_chosen.then(|| view! { <Answer made whole edit=edit.clone() noun="sequence" /> })
                }}
            </section>
        }
    };
    let is_open = Memo::new(move |_| asked.get().0);
    // The server walks through a boundary more than once: a forecast is made once.
    move || is_open.get().then(|| Unsuspend::new(panel))
}

/// The form for whom the forecast is: an address that can be kept.
#[component]
fn Choose(id: Memo<String>, whom: Memo<Whom>) -> impl IntoView {
    let tags = Resource::new_blocking(|| (), |()| list_tags());
    let options = move || {
        let tags = tags.try_get().flatten().and_then(Result::ok).unwrap_or_default();
        entries(tags.into_iter().map(|tag| (tag.clone(), tag)), &whom.get().tag)
    };
    let Whom { q, all, .. } = whom.get_untracked();
    view! {
        // The browser's own form: that of the router writes the address, and so the id in it, in small letters.
        <form method="get" action=format!("{HERE}/{}", id.get_untracked())>
            <input type="hidden" name=ASKED value="1" />
            <div class="filters whom">
                <div class="field">
                    <label for="forecast-q">"Search"</label>
                    <input id="forecast-q" name="q" type="search" placeholder="Name, company, e-mail or number" value=q />
                </div>
                <div class="field">
                    <label for="forecast-tag">"Tag"</label>
                    <Suspense>
                        <select id="forecast-tag" name="tag">
                            <option value="">"Any"</option>
                            {options}
                        </select>
                    </Suspense>
                </div>
                <label class="check">
                    <input type="checkbox" name="all" value="yes" checked=all />
                    "All leads"
                </label>
                <button class="btn">"Forecast"</button>
            </div>
        </form>
        <p class="soft">"What would leave if these leads were enrolled now. Nothing is sent, and nobody is enrolled."</p>
    }
}

/// The forecast, or what stands in its place while it is made.
#[component]
pub fn Answer(
    made: Made,
    /// The address that comes with the forecast.
    whole: Signal<String>,
    /// Where the editor is.
    edit: String,
    /// Of what it is.
    noun: &'static str,
) -> impl IntoView {
    // All reads are `try_get`: the panel is closed by the address that these hear of, too.
    let edit = StoredValue::new(edit);
    let busy = move || {
        // By hand: to a browser with a script what is inside of it is text.
        let refresh = format!(
            "<meta http-equiv=\"refresh\" content=\"0;url={}\">",
            whole
                .try_get_untracked()
                .unwrap_or_default()
                .replace('&', "&amp;")
                .replace('"', "&quot;")
                .replace('<', "&lt;")
        );
        view! {
            <p class="row soft" role="status">
                <span class="spin" aria-hidden="true"></span>
                "Making the forecast. This can take some seconds."
            </p>
            <noscript inner_html=refresh></noscript>
        }
    };
    view! {
        <Transition fallback=busy>
            {move || {
                made.try_get()
                    .flatten()
                    .map(|answer| match answer {
                        Ok(None) => EitherOf4::A(busy()),
                        Ok(Some(told)) => EitherOf4::B(view! { <Told told noun /> }),
                        Err(error) if !error.fields.is_empty() => EitherOf4::C(refused(&error, edit.get_value(), noun)),
                        Err(error) => EitherOf4::D(view! { <ErrorBox error retry=move |()| made.refetch() /> }),
                    })
            }}
        </Transition>
    }
}

/// "1 person", "12 people".
fn count(number: u32, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

#[component]
fn Told(told: Rehearsal, noun: &'static str) -> impl IntoView {
    let sums = format!(
        "{} {} {}, billed as {}.",
        count(told.people, "person", "people"),
        if told.people == 1 { "gets" } else { "get" },
        count(told.messages, "message", "messages"),
        count(told.segments, "segment", "segments"),
    );
    let when = told.starts_at.zip(told.ends_at).map(|(from, to)| {
        view! {
            <p>
                "The first one leaves " <Time at=from /> ", the last one " <Time at=to /> "."
            </p>
        }
    });
    let unfinished = (!told.is_complete).then(|| {
        let why = match told.waiting {
            0 => "It ends a year from now, or when it takes too long to make: more leaves after the last message below.".to_owned(),
            waiting => format!(
                "{} still {} for a message where it ends, because no account can send it within a year, or because it takes too \
                 long to make.",
                count(waiting, "person", "people"),
                if waiting == 1 { "waits" } else { "wait" },
            ),
        };
        view! { <p class="notice warn"><b>"This forecast is not complete."</b> " " {why}</p> }
    });
    let nobody = (told.messages == 0).then(|| {
        view! { <p class="notice warn">{format!("Nobody would get a message of this {noun}.")}</p> }
    });
    let names: BTreeMap<AccountId, String> =
        told.days.iter().map(|day| (day.account_id.clone(), day.account.clone())).collect();
    view! {
        <div class="stack" data-forecast="">
            {unfinished}
            {nobody}
            {(told.messages > 0).then(|| view! { <p class="sums"><b>{sums}</b></p> })}
            {when}
            {days::section(&told.days)}
            {left_out(told.excluded, told.excluded_leads)}
            {planned(told.data, told.messages, &names)}
        </div>
    }
}

/// "A lead without a name".
fn called(name: String) -> String {
    if name.is_empty() { "A lead without a name".to_owned() } else { name }
}

fn left_out(reasons: Vec<Excluded>, leads: Vec<LeftOut>) -> impl IntoView {
    let reason = move |of: Excluded| {
        let named: Vec<LeftOut> = leads.iter().filter(|lead| lead.reason == of.reason).take(NAMES).cloned().collect();
        let more = usize::try_from(of.count).unwrap_or_default().saturating_sub(named.len());
        let name =
            |lead: LeftOut| view! { <li><a href=format!("/leads/{}", lead.lead_id)>{called(lead.lead)}</a></li> };
        view! {
            <details>
                <summary>{format!("{}: {}", reason_label(&of.reason), of.count)}</summary>
                <ul>
                    {named.into_iter().map(name).collect_view()}
                    {(more > 0).then(|| view! { <li class="soft">{format!("and {more} more")}</li> })}
                </ul>
            </details>
        }
    };
    (!reasons.is_empty()).then(|| {
        view! {
            <h3>"Who gets nothing, or not all"</h3>
            <div class="stack reasons">{reasons.into_iter().map(reason).collect_view()}</div>
        }
    })
}

fn planned(data: Vec<Planned>, all: u32, names: &BTreeMap<AccountId, String>) -> impl IntoView {
    let heading = match u32::try_from(data.len()).unwrap_or(all) {
        listed if listed < all => format!("The first {listed} of {all} messages"),
        _ => "The messages".to_owned(),
    };
    let row = |planned: Planned| {
        let account = names.get(&planned.account_id).cloned().unwrap_or_default();
        view! {
            <tr>
                <td class="when">
                    <Time at=planned.at />
                </td>
                <td>
                    <a href=format!("/leads/{}", planned.lead_id)>
                        <b>{called(planned.lead)}</b>
                    </a>
                </td>
                <td>{planned.to}</td>
                <td class="soft">{account}</td>
            </tr>
        }
    };
    let rows = data.into_iter().map(row).collect::<Vec<_>>();
    (!rows.is_empty()).then(|| {
        view! {
            <h3>{heading}</h3>
            <div class="table bare planned">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"When"</th>
                            <th scope="col">"To"</th>
                            <th scope="col">"Address"</th>
                            <th scope="col">"Account"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
    })
}
