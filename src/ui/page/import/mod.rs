//! Imports of leads: where a file is chosen, and what was imported before.

mod columns;
pub mod detail;
mod options;
mod progress;

use crate::{
    api::{error::ApiError, import::list_imports},
    domain::{
        import::{Import, State},
        page::Page,
    },
    ui::part::{
        error_box::ErrorBox,
        lazy::lazy_page,
        live::Live,
        page_head::PageHead,
        pager::{Pager, address},
        time::Time,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The page where a file is chosen.
const HERE: &str = "/leads/import";

lazy_page! {
    /// The page, loaded when it is visited.
    ImportsPage, imports_page, Imports
}

/// Why the last file was not taken, by its code.
fn sentence(code: &str) -> &'static str {
    match code {
        "empty_file" => "The file has no rows. Choose another one.",
        "not_a_table" => "The file is no table of text and no XLSX workbook. Save it as CSV or XLSX and try again.",
        "unclosed_quote" => "A row of the file does not end: a quote in it is never closed.",
        "too_many_columns" => "The file has more than 200 columns.",
        "bad_workbook" => "The workbook cannot be read. Is it protected by a password? Save it as CSV and try again.",
        "unpacks_too_large" => "The workbook unpacks to more than is accepted. Save the sheet as CSV and try again.",
        "too_large" => "The file is larger than this server takes. Split it, or ask the operator.",
        "upload_stalled" | "upload_torn" => "The upload broke off. Try again.",
        _ => "The file could not be taken. Choose a CSV or XLSX file and try again.",
    }
}

/// The page.
#[component]
fn Imports() -> impl IntoView {
    let live = Live::get();
    let query = use_query_map();
    let failed = Memo::new(move |_| query.with(|query| query.get("failed")));
    let cursor = Memo::new(move |_| query.with(|query| query.get("cursor")));
    let imports =
        Resource::new_blocking(move || (cursor.get(), live.imports.get()), |(cursor, _)| list_imports(cursor));
    view! {
        <PageHead title="Import leads" line="From a spreadsheet or another tool">
            <a class="btn" href="/leads">
                "Back to leads"
            </a>
        </PageHead>
        <form class="card inner stack" action="/leads/import/file" method="post" enctype="multipart/form-data">
            <div class="field">
                <label for="file">"File"</label>
                <input
                    id="file"
                    type="file"
                    name="file"
                    required
                    accept=".csv,.tsv,.txt,.xlsx,text/csv"
                    aria-describedby="file-hint"
                />
                <span class="hint" id="file-hint">
                    "CSV with any delimiter and encoding, or XLSX. Nothing is imported before you have seen what would become of it."
                </span>
            </div>
            <div role="alert">
                {move || failed.get().map(|code| view! { <div class="notice bad">{sentence(&code)}</div> })}
            </div>
            <div>
                <button class="btn primary">"Upload"</button>
            </div>
        </form>
        <Transition>
            {move || {
                imports
                    .get()
                    .map(|page| view! { <Before page=page.map_err(Box::new) retry=move |()| imports.refetch() cursor=cursor.get().is_some() /> })
            }}
        </Transition>
    }
}

/// The imports of before; nothing while there is none.
#[component]
fn Before(page: Result<Page<Import>, Box<ApiError>>, #[prop(into)] retry: Callback<()>, cursor: bool) -> impl IntoView {
    let page = match page {
        Ok(page) => page,
        Err(error) => return view! { <ErrorBox error=*error retry /> }.into_any(),
    };
    if page.data.is_empty() {
        return ().into_any();
    }
    let newest = Signal::stored(cursor.then(|| HERE.to_owned()));
    let older = Signal::stored(page.next_cursor.map(|next| address(HERE, [("cursor", Some(next.as_str()))])));
    let row = |import: Import| {
        let name =
            if import.file_name.is_empty() { "A file without a name".to_owned() } else { import.file_name.clone() };
        let counts = import.counts;
        // Nobody was written by a check.
        let [created, updated] =
            if import.dry_run { ["would be created", "would be updated"] } else { ["created", "updated"] };
        view! {
            <tr>
                <td>
                    <a href=format!("{HERE}/{}", import.id)>
                        <b>{name}</b>
                    </a>
                </td>
                <td>{word(&import)}</td>
                <td>
                    {format!("{} {created}, {} {updated}, {} skipped, {} rejected", counts.created, counts.updated, counts.skipped, counts.failed)}
                </td>
                <td class="when">
                    <Time at=import.created_at />
                </td>
            </tr>
        }
    };
    view! {
        <section class="card inner before-imports">
            <h2>"Earlier imports"</h2>
            <div class="table bare">
                <table>
                    <thead class="unseen">
                        <tr>
                            <th scope="col">"File"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Rows"</th>
                            <th scope="col">"Uploaded"</th>
                        </tr>
                    </thead>
                    <tbody>{page.data.into_iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        </section>
        <Pager newest older />
    }
    .into_any()
}

/// The state in a word for a person.
fn word(import: &Import) -> &'static str {
    match (import.state, import.dry_run) {
        (State::Uploading | State::Draft, _) | (State::Done, true) => "Waits for you",
        (State::Running, true) => "Checking",
        (State::Running, false) => "Importing",
        (State::Done, false) => "Imported",
        (State::Failed, _) => "Failed",
        (State::Canceled, _) => "Canceled",
    }
}
