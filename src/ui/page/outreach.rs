//! The pages of sequences and campaigns: two lists and two pages of one, behind one lazy page. A lazy page for each would weigh on
//! the first load, and so would a part for each: they share forms, numbers and forecast.

use super::{
    campaign::{Campaigns, one::CampaignPage},
    sequence::{Sequences, one::SequencePage},
};
use crate::ui::part::lazy::lazy_page;
use leptos::prelude::*;
use leptos_router::hooks::{use_matched, use_params_map};

lazy_page! {
    /// The pages, loaded when one of them is visited.
    OutreachPage, sequence_page, Outreach
}

/// Every route draws it anew, so that what it is does not change.
#[component]
fn Outreach() -> impl IntoView {
    let is_one = use_params_map().with_untracked(|params| params.get("id").is_some());
    match (use_matched().get_untracked().starts_with("/campaigns"), is_one) {
        (true, true) => view! { <CampaignPage /> }.into_any(),
        (true, false) => view! { <Campaigns /> }.into_any(),
        (false, true) => view! { <SequencePage /> }.into_any(),
        (false, false) => view! { <Sequences /> }.into_any(),
    }
}
