//! The dashboard: the day by channel, what needs a person, the last days, and what becomes of the queues.

mod chart;
mod need;
mod outlook;

use crate::{
    api::{dashboard::load_dashboard, error::ApiError},
    domain::{
        channel::Channel,
        dashboard::{Counts, Dashboard, Day},
    },
    ui::part::{
        badge::ChannelBadge, error_box::ErrorBox, lazy::lazy_page, live::Live, page_head::PageHead, shown::Shown,
        skeleton::TableSkeleton,
    },
};
use leptos::{either::EitherOf3, prelude::*};

lazy_page! {
    /// The page, loaded when it is visited.
    DashboardPage, dashboard_page, Overview
}

/// The page.
#[component]
fn Overview() -> impl IntoView {
    let live = Live::get();
    let loaded = Resource::new_blocking(move || (live.accounts.get(), live.messages.get()), |_| load_dashboard());
    view! {
        <PageHead title="Dashboard" line="Today, what needs you, and what comes next" />
        <Transition fallback=|| view! { <TableSkeleton columns=4 /> }>
            <Whole loaded />
        </Transition>
    }
}

#[component]
fn Whole(loaded: Resource<Result<Dashboard, ApiError>>) -> impl IntoView {
    let shown = Shown::of(loaded, |_| false);
    move || match shown.get() {
        Shown::Loading => EitherOf3::A(view! { <TableSkeleton columns=4 /> }),
        Shown::Failed(error) => EitherOf3::B(view! { <ErrorBox error retry=move |()| loaded.refetch() /> }),
        // Drawn once, as the lists are (Unsuspend).
        Shown::Empty | Shown::Full => EitherOf3::C(Unsuspend::new(move || {
            sections(Memo::new(move |_| loaded.get().and_then(Result::ok).unwrap_or_default()))
        })),
    }
}

/// Each part is drawn anew only when what it shows has changed.
fn sections(all: Memo<Dashboard>) -> AnyView {
    let days = Memo::new(move |_| all.with(|all| all.days.clone()));
    let outlooks = Memo::new(move |_| all.with(|all| all.outlooks.clone()));
    view! {
        <section aria-labelledby="today">
            <h2 id="today" class="unseen">
                "Today"
            </h2>
            <dl class="strip today">{move || days.with(|days| days.last().map(today))}</dl>
        </section>
        <div class="stack wide-gap">
            {need::section(all, outlooks)} {chart::section(days)} {outlook::section(outlooks)}
        </div>
    }
    .into_any()
}

/// One tile per channel.
fn today(day: &Day) -> AnyView {
    let tile = |(channel, counts): (Channel, Counts)| {
        let Counts { accepted, delivered, failed, received } = counts;
        view! {
            <div class="tile">
                <dt>
                    <ChannelBadge channel />
                </dt>
                <dd>
                    <b>{accepted}</b>
                    <small>{format!("accepted, {delivered} delivered, {failed} failed, {received} received")}</small>
                </dd>
            </div>
        }
    };
    Channel::ALL.into_iter().zip(day.counts).map(tile).collect_view().into_any()
}
