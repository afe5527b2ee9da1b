//! The leads: list with search and tags, and the dialog that takes one in. Filters, page and dialog are in the URL.

mod change;
pub mod detail;
mod dialog;
mod merge;
mod run;
mod segment;

use crate::{
    api::{
        change::{list_changes, load_change_choices},
        error::ApiError,
        lead::{list_leads, list_tags},
        segment::{list_segments, load_segment_choices},
    },
    domain::{
        audience::{Choices, Order},
        change::ChangeChoices,
        lead::Lead,
    },
    ui::part::{
        empty_state::EmptyState,
        error_box::ErrorBox,
        icon::Icon,
        late::late,
        lazy::lazy_page,
        listing::Listing,
        live::Live,
        page_head::PageHead,
        pager::{NoMatch, address},
        select::entries,
        time::Time,
    },
};
use change::{ChangeDialog, Changes};
use dialog::LeadDialog;
use leptos::{
    prelude::*,
    wasm_split::{SplitLoaderError, wasm_split},
};
use leptos_router::{components::Form, hooks::use_query_map, params::ParamsMap};
use segment::{DeleteSegmentDialog, SegmentDialog, Segments};

/// The page without a dialog.
const HERE: &str = "/leads";

/// What the list asks for.
#[derive(Debug, Clone, PartialEq, Default)]
struct Asked {
    q: Option<String>,
    tag: Option<String>,
    segment: Option<String>,
    sort: Option<String>,
    cursor: Option<String>,
}

impl Asked {
    fn read(query: &ParamsMap) -> Self {
        let text = |name: &str| query.get(name).filter(|text| !text.is_empty());
        Self { q: text("q"), tag: text("tag"), segment: text("segment"), sort: text("sort"), cursor: text("cursor") }
    }

    /// All leads that the list would show, as a file.
    fn export(&self) -> String {
        address("/api/leads/export.csv", self.filters())
    }

    fn filters(&self) -> [(&str, Option<&str>); 3] {
        [("q", self.q.as_deref()), ("tag", self.tag.as_deref()), ("segment", self.segment.as_deref())]
    }

    fn is_filtered(&self) -> bool {
        self.filters().into_iter().any(|(_, text)| text.is_some())
    }

    /// The address of the newest page of the same list, with one thing more.
    fn with(&self, name: &str, value: Option<&str>) -> String {
        address(HERE, self.filters().into_iter().chain([("sort", self.sort.as_deref()), (name, value)]))
    }
}

/// The dialogs there are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Open {
    /// A lead is taken in.
    Add,
    /// What the list asks for becomes a segment.
    Save,
    /// The segment of the list is changed.
    Edit,
    /// It is deleted.
    Delete,
    /// All leads of the list are changed.
    Change,
}

impl Open {
    fn read(query: &ParamsMap) -> Option<Self> {
        let named = [
            ("add", Self::Add),
            ("save", Self::Save),
            ("edit", Self::Edit),
            ("delete", Self::Delete),
            ("change", Self::Change),
        ];
        named.into_iter().find(|(name, _)| query.get(name).is_some()).map(|(_, open)| open)
    }
}

lazy_page! {
    /// The page, loaded when it is visited.
    LeadsPage, leads_page, Leads
}

/// The page.
#[component]
fn Leads() -> impl IntoView {
    let live = Live::get();
    let query = use_query_map();
    let asked = Memo::new(move |_| query.with(Asked::read));
    let open = Memo::new(move |_| query.with(Open::read));
    let segments = Resource::new_blocking(move || live.leads.get(), |_| list_segments());
    // Only a dialog of segments needs them.
    let about = Memo::new(move |_| {
        let segment = asked.with(|asked| asked.segment.clone().unwrap_or_default());
        open.get().filter(|open| !matches!(open, Open::Add | Open::Change)).map(|_| segment)
    });
    let choices = Resource::new_blocking(
        move || about.get(),
        async |about| match about {
            Some(id) => load_segment_choices(id).await,
            None => Ok(Choices::default()),
        },
    );
    let changeable = Resource::new_blocking(
        move || (open.get() == Some(Open::Change)).then(|| asked.get()),
        async |asked| match asked {
            Some(Asked { q, tag, segment, .. }) => {
                let [q, tag, segment] = [q, tag, segment].map(Option::unwrap_or_default);
                load_change_choices(q, tag, segment).await
            }
            None => Ok(ChangeChoices::default()),
        },
    );
    let changes = Resource::new_blocking(move || live.leads.get(), |_| list_changes());
    let tags = Resource::new_blocking(move || live.leads.get(), |_| list_tags());
    let leads = Resource::new_blocking(
        move || (asked.get(), live.leads.get()),
        |(asked, _)| list_leads(asked.q, asked.tag, asked.segment, asked.sort, asked.cursor),
    );
    let href = Callback::new(move |cursor: Option<String>| asked.with(|asked| asked.with("cursor", cursor.as_deref())));
    let empty = Callback::new(move |older: Option<String>| {
        view! { <NoLeads is_filtered=asked.with(Asked::is_filtered) older /> }.into_any()
    });
    let rows = Callback::new(|rows: Memo<Vec<Lead>>| {
        view! {
            <For each=move || rows.get() key=|lead| (lead.id.clone(), lead.updated_at, lead.contacted_at, lead.replied_at) let:lead>
                <Row lead />
            </For>
        }
        .into_any()
    });
    view! {
        <PageHead title="Leads" line="The people you reach">
            <a class="btn" href="/leads/import">
                "Import"
            </a>
            <a class="btn" rel="external" download="leads.csv" href=move || asked.get().export()>
                "Export"
            </a>
            <a id="change-leads" class="btn" href=move || asked.get().with("change", Some("1")) data-noscroll="">
                "Change all"
            </a>
            <a id="add-lead" class="btn primary" href=move || asked.get().with("add", Some("1")) data-noscroll="">
                "Add lead"
            </a>
        </PageHead>
        <Transition>
            <Changes changes />
            <Segments asked segments />
            <Filters asked tags />
        </Transition>
        <Listing
            loaded=leads
            class="leads"
            columns=&["Lead", "E-mail", "Phone", "Tags", "Last contact"]
            is_later=Signal::derive(move || asked.with(|asked| asked.cursor.is_some()))
            href
            empty
            rows
        />
        {late(open, move |open| Box::pin(list_dialog(open, asked.get_untracked(), choices, changeable)))}
    }
}

#[wasm_split(lead_dialog, wasm_split_path = leptos::wasm_split, fallible)]
#[allow(clippy::unnecessary_wraps, reason = "it fails when its code cannot be loaded")]
fn list_dialog(
    open: Open,
    asked: Asked,
    choices: Resource<Result<Choices, ApiError>>,
    changeable: Resource<Result<ChangeChoices, ApiError>>,
) -> Result<AnyView, SplitLoaderError> {
    let back = asked.with("", None);
    let drawn = move || {
        let (asked, back) = (asked.clone(), back.clone());
        if open == Open::Add {
            return Some(view! { <LeadDialog back opener="add-lead" /> }.into_any());
        }
        if open == Open::Change {
            return Some(match changeable.get()? {
                Err(error) => view! { <ErrorBox error retry=move |()| changeable.refetch() /> }.into_any(),
                Ok(choices) => view! { <ChangeDialog asked choices back /> }.into_any(),
            });
        }
        match choices.get()? {
            Err(error) => Some(view! { <ErrorBox error retry=move |()| choices.refetch() /> }.into_any()),
            Ok(Choices { segment: Some(segment), .. }) if open == Open::Delete => {
                Some(view! { <DeleteSegmentDialog segment back /> }.into_any())
            }
            Ok(choices) => Some(view! { <SegmentDialog is_new=open == Open::Save asked choices back /> }.into_any()),
        }
    };
    Ok(view! { <Suspense>{drawn}</Suspense> }.into_any())
}

#[component]
fn Filters(asked: Memo<Asked>, tags: Resource<Result<Vec<String>, ApiError>>) -> impl IntoView {
    move || {
        let (asked, tags) = (asked.get(), tags.get().and_then(Result::ok).unwrap_or_default());
        let chosen = asked.tag.clone().unwrap_or_default();
        let is_filtered = asked.is_filtered();
        let save = asked.with("save", Some("1"));
        // The usual one is not spelt out in the address.
        let orders = Order::ALL.map(|(each, name, label)| (if each == Order::Newest { "" } else { name }, label));
        let order = asked.sort.clone().unwrap_or_default();
        view! {
            <Form method="GET" action=HERE>
                <div class="filters" role="search">
                    {asked.segment.clone().map(|segment| view! { <input type="hidden" name="segment" value=segment /> })}
                    <div class="field">
                        <label for="q">"Search"</label>
                        <input id="q" name="q" type="search" placeholder="Name, company, e-mail or number" value=asked.q.unwrap_or_default() />
                    </div>
                    <div class="field">
                        <label for="tag">"Tag"</label>
                        <select id="tag" name="tag">
                            <option value="">"All"</option>
                            {entries(tags.into_iter().map(|tag| (tag.clone(), tag)), &chosen)}
                        </select>
                    </div>
                    <div class="field">
                        <label for="sort">"Sort by"</label>
                        <select id="sort" name="sort">
                            {entries(orders, &order)}
                        </select>
                    </div>
                    <div class="row">
                        <button class="btn">"Filter"</button>
                        {is_filtered
                            .then(|| {
                                view! {
                                    <a class="btn quiet" href=HERE>
                                        "Clear"
                                    </a>
                                    <a id="save-segment" class="btn quiet" href=save data-noscroll="">
                                        "Save as segment"
                                    </a>
                                }
                            })}
                    </div>
                </div>
            </Form>
        }
    }
}

#[component]
fn NoLeads(
    is_filtered: bool,
    /// A search reads so many leads and no more: where it goes on.
    older: Option<String>,
) -> impl IntoView {
    if is_filtered || older.is_some() {
        view! { <NoMatch title="No lead matches" all=HERE older /> }.into_any()
    } else {
        view! {
            <EmptyState
                icon=Icon::People
                title="No leads yet"
                text="Add the first person; all that you send to them, and all that they answer, stands on their page."
            >
                <a class="btn primary" href="/leads?add=1" data-noscroll="">
                    "Add your first lead"
                </a>
                <a class="btn" href="/leads/import">
                    "Import a file"
                </a>
            </EmptyState>
        }
        .into_any()
    }
}

#[component]
fn Row(lead: Lead) -> impl IntoView {
    let label = lead.label().to_owned();
    view! {
        <tr>
            <td>
                <div class="who">
                    <div>
                        <a href=format!("{HERE}/{}", lead.id)>
                            <b>{label}</b>
                        </a>
                        <span>{lead.company}</span>
                    </div>
                </div>
            </td>
            <td>{lead.email}</td>
            <td>{lead.phone.or(lead.whatsapp)}</td>
            <td>
                <Tags tags=lead.tags />
            </td>
            <td class="when">
                {match (lead.replied_at, lead.contacted_at) {
                    (Some(replied), contacted) if contacted.is_none_or(|contacted| contacted <= replied) => {
                        view! { "Replied " <Time at=replied /> }.into_any()
                    }
                    (_, Some(contacted)) => view! { <Time at=contacted /> }.into_any(),
                    _ => view! { <span class="soft">"Never"</span> }.into_any(),
                }}
            </td>
        </tr>
    }
}

/// The tags of a lead, each a way to all that have it.
#[component]
fn Tags(tags: Vec<String>) -> impl IntoView {
    let tag = |tag: String| {
        let href = address(HERE, [("tag", Some(tag.as_str()))]);
        view! {
            <a class="badge" href=href>
                {tag}
            </a>
        }
    };
    view! { <span class="tags">{tags.into_iter().map(tag).collect_view()}</span> }
}
