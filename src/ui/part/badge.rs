//! Small coloured words.

use super::icon::{Draw, Icon};
use crate::domain::{channel::Channel, message::Status};
use leptos::prelude::*;

/// The name of a channel in its colour.
#[component]
pub fn ChannelBadge(channel: Channel) -> impl IntoView {
    view! { <span class=format!("badge {}", channel.as_str())>{channel.label()}</span> }
}

/// The drawing of a channel on a tinted tile.
#[component]
pub fn ChannelTile(channel: Channel) -> impl IntoView {
    view! {
        <div class=format!("ico {}", channel.as_str())>
            <Draw icon=Icon::of(channel) />
        </div>
    }
}

/// Where a message is, in colour where it means something.
#[component]
pub fn StatusBadge(status: Status) -> impl IntoView {
    view! { <span class=format!("badge {}", status.as_str())>{status.label()}</span> }
}
