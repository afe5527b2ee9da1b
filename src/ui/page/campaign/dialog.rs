//! The dialogs of a campaign: whether it is to end, and whether it is to go.

use crate::{
    api::campaign::{DeleteCampaign, MoveCampaign},
    domain::id::CampaignId,
    ui::part::{live::Live, post::Post, question::Question},
};
use leptos::prelude::*;

/// Ends it.
#[component]
pub fn CancelDialog(id: CampaignId, name: String, back: String) -> impl IntoView {
    let live = Live::get();
    let to = Post::to::<MoveCampaign>(move |_| live.resync());
    view! {
        <Question
            to
            id=id.to_string()
            title="Cancel campaign?"
            back
            opener="cancel-campaign"
            keep="Keep it"
            verb="Cancel campaign"
            busy="Canceling…"
        >
            <input type="hidden" name="what" value="cancel" />
            "Nothing more of "
            <b>{name}</b>
            " leaves, and what it has queued is canceled. It cannot be started again; what was sent stays."
        </Question>
    }
}

/// Forgets it.
#[component]
pub fn DeleteDialog(id: CampaignId, name: String, back: String) -> impl IntoView {
    let to = Post::to::<DeleteCampaign>(|()| {});
    view! {
        <Question to id=id.to_string() title="Delete campaign?" back opener="delete-campaign" verb="Delete campaign" busy="Deleting…">
            <b>{name}</b>
            " and its numbers are forgotten. What was sent stays among the messages."
        </Question>
    }
}
