//! The campaigns: list, editor, and the page of one with what came of it and what will.

mod detail;
mod dialog;
mod editor;
pub mod one;

use crate::{
    api::campaign::list_campaigns,
    domain::campaign::{Campaign, CampaignState, Told},
    ui::part::{
        badge::ChannelBadge, empty_state::EmptyState, icon::Icon, listing::Listing, live::Live, page_head::PageHead,
        pager::address, time::Time,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The page.
const HERE: &str = "/campaigns";
/// In place of an id: one that is not there yet.
const NEW: &str = "new";

/// The page.
#[component]
pub fn Campaigns() -> impl IntoView {
    let live = Live::get();
    let query = use_query_map();
    let cursor = Memo::new(move |_| query.with(|query| query.get("cursor")));
    let campaigns =
        Resource::new_blocking(move || (cursor.get(), live.sequences.get()), |(cursor, _)| list_campaigns(cursor));
    let href = Callback::new(|cursor: Option<String>| address(HERE, [("cursor", cursor.as_deref())]));
    let empty = Callback::new(|_: Option<String>| view! { <NoCampaigns /> }.into_any());
    let rows = Callback::new(|rows: Memo<Vec<Told<Campaign>>>| {
        view! {
            <For
                each=move || rows.get()
                key=|told| (told.campaign.id.clone(), told.campaign.updated_at, told.campaign.state)
                let:told
            >
                <Row told />
            </For>
        }
        .into_any()
    });
    view! {
        <PageHead title="Campaigns" line="One message to many leads, over all your accounts">
            <a class="btn primary" href="/campaigns/new">
                "New campaign"
            </a>
        </PageHead>
        <Listing
            loaded=campaigns
            class="campaigns"
            columns=&["Campaign", "State", "Channel", "Template", "When"]
            is_later=Signal::derive(move || cursor.with(Option::is_some))
            href
            empty
            rows
        />
    }
}

#[component]
fn NoCampaigns() -> impl IntoView {
    view! {
        <EmptyState
            icon=Icon::Horn
            title="No campaigns yet"
            text="Send one message to everybody with a tag. Tern spreads it over your accounts and their limits, and shows beforehand who gets it when."
        >
            <a class="btn primary" href="/campaigns/new">
                "Write your first campaign"
            </a>
        </EmptyState>
    }
}

#[component]
fn Row(told: Told<Campaign>) -> impl IntoView {
    let Told { campaign, template } = told;
    let (words, at) = moment(&campaign);
    view! {
        <tr>
            <td>
                <div class="who">
                    <div>
                        <a href=format!("{HERE}/{}", campaign.id)>
                            <b>{campaign.name.clone()}</b>
                        </a>
                        <span>{campaign.audience.words()}</span>
                    </div>
                </div>
            </td>
            <td>
                <StateBadge state=campaign.state />
            </td>
            <td>
                <ChannelBadge channel=campaign.channel />
            </td>
            <td class="soft">{template}</td>
            <td class="when">
                {words}
                {at.map(|at| view! { " " <Time at /> })}
            </td>
        </tr>
    }
}

/// What happened last, or will, and when.
fn moment(campaign: &Campaign) -> (&'static str, Option<crate::domain::time::Timestamp>) {
    match (campaign.state, campaign.ended_at, campaign.started_at, campaign.send_at) {
        (_, Some(at), ..) => ("Ended", Some(at)),
        (CampaignState::Scheduled | CampaignState::Draft, .., Some(at)) => ("For", Some(at)),
        (_, _, Some(at), _) => ("Started", Some(at)),
        _ => ("Not started", None),
    }
}

/// Where a campaign is.
#[component]
fn StateBadge(state: CampaignState) -> impl IntoView {
    let class = match state {
        CampaignState::Draft | CampaignState::Canceled => "badge",
        CampaignState::Scheduled | CampaignState::Running => "badge sent",
        CampaignState::Paused => "badge unknown",
        CampaignState::Done => "badge delivered",
    };
    view! { <span class=class>{state.label()}</span> }
}
