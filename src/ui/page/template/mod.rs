//! The templates: list with search and channel. Filters and page are in the URL.

pub mod editor;
mod preview;
pub mod snippet;
mod version;

use crate::{
    api::template::list_templates,
    domain::{channel::Channel, template::Template},
    ui::part::{
        badge::ChannelBadge,
        empty_state::EmptyState,
        icon::Icon,
        lazy::lazy_page,
        listing::Listing,
        live::Live,
        page_head::PageHead,
        pager::{NoMatch, address},
        select::entries,
        time::Time,
    },
};
use leptos::prelude::*;
use leptos_router::{components::Form, hooks::use_query_map, params::ParamsMap};

/// The page.
const HERE: &str = "/templates";

/// What the list asks for.
#[derive(Debug, Clone, PartialEq, Default)]
struct Asked {
    q: Option<String>,
    channel: Option<String>,
    cursor: Option<String>,
}

impl Asked {
    fn read(query: &ParamsMap) -> Self {
        let text = |name: &str| query.get(name).filter(|text| !text.is_empty());
        Self { q: text("q"), channel: text("channel"), cursor: text("cursor") }
    }

    fn is_filtered(&self) -> bool {
        self.q.is_some() || self.channel.is_some()
    }

    /// The address of the newest page of the same list, with one thing more.
    fn with(&self, name: &str, value: Option<&str>) -> String {
        address(HERE, [("q", self.q.as_deref()), ("channel", self.channel.as_deref()), (name, value)])
    }
}

lazy_page! {
    /// The page, loaded when it is visited.
    TemplatesPage, templates_page, Templates
}

/// The page.
#[component]
fn Templates() -> impl IntoView {
    let live = Live::get();
    let query = use_query_map();
    let asked = Memo::new(move |_| query.with(Asked::read));
    let templates = Resource::new_blocking(
        move || (asked.get(), live.templates.get()),
        |(asked, _)| list_templates(asked.q, asked.channel, asked.cursor),
    );
    let href = Callback::new(move |cursor: Option<String>| asked.with(|asked| asked.with("cursor", cursor.as_deref())));
    let empty = Callback::new(move |_: Option<String>| {
        view! { <NoTemplates is_filtered=asked.with(Asked::is_filtered) /> }.into_any()
    });
    let rows = Callback::new(|rows: Memo<Vec<Template>>| {
        view! {
            <For each=move || rows.get() key=|template| (template.id.clone(), template.updated_at, template.version) let:template>
                <Row template />
            </For>
        }
        .into_any()
    });
    view! {
        <PageHead title="Templates" line="Texts that are written once and sent to many">
            <a class="btn" href="/templates/snippets">
                "Snippets"
            </a>
            <a class="btn primary" href="/templates/new">
                "New template"
            </a>
        </PageHead>
        <Filters asked />
        <Listing
            loaded=templates
            class="templates"
            columns=&["Template", "Channel", "Version", "Changed"]
            is_later=Signal::derive(move || asked.with(|asked| asked.cursor.is_some()))
            href
            empty
            rows
        />
    }
}

#[component]
fn Filters(asked: Memo<Asked>) -> impl IntoView {
    move || {
        let asked = asked.get();
        let is_filtered = asked.is_filtered();
        let chosen = asked.channel.unwrap_or_default();
        let channels = Channel::ALL.map(|channel| (channel.as_str(), channel.label()));
        view! {
            <Form method="GET" action=HERE>
                <div class="filters" role="search">
                    <div class="field">
                        <label for="q">"Search"</label>
                        <input id="q" name="q" type="search" placeholder="Name, subject or text" value=asked.q.unwrap_or_default() />
                    </div>
                    <div class="field">
                        <label for="channel">"Channel"</label>
                        <select id="channel" name="channel">
                            <option value="">"All"</option>
                            {entries(channels, &chosen)}
                        </select>
                    </div>
                    <div class="row">
                        <button class="btn">"Filter"</button>
                        {is_filtered.then(|| view! { <a class="btn quiet" href=HERE>"Clear"</a> })}
                    </div>
                </div>
            </Form>
        }
    }
}

#[component]
fn NoTemplates(is_filtered: bool) -> impl IntoView {
    if is_filtered {
        view! { <NoMatch title="No template matches" all=HERE older=None /> }.into_any()
    } else {
        view! {
            <EmptyState
                icon=Icon::Sheet
                title="No templates yet"
                text="Write a text once, with the name and more of whoever gets it; see it with a real lead before anything goes out."
            >
                <a class="btn primary" href="/templates/new">
                    "Write your first template"
                </a>
            </EmptyState>
        }
        .into_any()
    }
}

#[component]
fn Row(template: Template) -> impl IntoView {
    let text = template.subject.unwrap_or(template.body);
    view! {
        <tr>
            <td>
                <div class="who">
                    <div>
                        <a href=format!("{HERE}/{}", template.id)>
                            <b>{template.name}</b>
                        </a>
                        <span>{text.lines().next().unwrap_or_default().chars().take(120).collect::<String>()}</span>
                    </div>
                </div>
            </td>
            <td>
                <ChannelBadge channel=template.channel />
            </td>
            <td>{template.version}</td>
            <td class="when">
                <Time at=template.updated_at />
            </td>
        </tr>
    }
}
