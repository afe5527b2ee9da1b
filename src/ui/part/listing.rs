//! A list page by page: what all of them show while it comes, when it fails, when there is nothing, and around the rows.

use super::{
    error_box::ErrorBox,
    pager::Pager,
    shown::{Shown, kept},
    skeleton::TableSkeleton,
};
use crate::{
    api::error::{ApiError, Kind},
    domain::page::Page,
};
use leptos::{either::EitherOf4, prelude::*};
use serde::{Serialize, de::DeserializeOwned};

/// What a list is loaded as.
pub type Loaded<T> = Resource<Result<Page<T>, ApiError>>;

/// The table, or what stands in its place.
#[component]
pub fn Listing<T>(
    /// One page of it. That it belongs to nothing known is said by the page around it.
    loaded: Loaded<T>,
    /// The class of its table.
    class: &'static str,
    /// The headings; one without words stands over buttons.
    columns: &'static [&'static str],
    /// True on every page but the newest.
    #[prop(into)]
    is_later: Signal<bool>,
    /// The address of the page that begins at a cursor; of the newest one without.
    href: Callback<Option<String>, String>,
    /// In place of an empty list. It gets the address where a search goes on that reads so many rows and no more.
    empty: Callback<Option<String>, AnyView>,
    /// The rows of a page.
    rows: Callback<Memo<Vec<T>>, AnyView>,
) -> impl IntoView
where
    T: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    view! {
        <Transition fallback=|| view! { <TableSkeleton columns=4 /> }>
            <Inside loaded class columns is_later href empty rows />
        </Transition>
    }
}

/// Inside of what waits for it: a memo made outside would wait for nothing.
#[component]
fn Inside<T>(
    loaded: Loaded<T>,
    class: &'static str,
    columns: &'static [&'static str],
    is_later: Signal<bool>,
    href: Callback<Option<String>, String>,
    empty: Callback<Option<String>, AnyView>,
    rows: Callback<Memo<Vec<T>>, AnyView>,
) -> impl IntoView
where
    T: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let shown = Shown::of(loaded, |page| page.data.is_empty());
    let page = kept(move || loaded.get().and_then(Result::ok));
    let older = Signal::derive(move || {
        let next = page.with(|page| page.as_ref().and_then(|page| page.next_cursor.clone()));
        next.map(|next| href.run(Some(next)))
    });
    move || match shown.get() {
        Shown::Loading => EitherOf4::A(view! { <TableSkeleton columns=4 /> }),
        Shown::Failed(error) => EitherOf4::B(
            (error.kind != Kind::NotFound).then(|| view! { <ErrorBox error retry=move |()| loaded.refetch() /> }),
        ),
        Shown::Empty => EitherOf4::C(move || empty.run(older.get())),
        // The server walks through a `Suspense` more than once to find what to wait for: not through all rows (Unsuspend).
        Shown::Full => EitherOf4::D(Unsuspend::new(move || {
            let newest = Signal::derive(move || is_later.get().then(|| href.run(None)));
            // Everything has come: each row looks into it, and must not copy it.
            let data = Memo::new(move |_| page.get().map(|page| page.data).unwrap_or_default());
            let heading = |label: &'static str| match label {
                "" => view! { <span class="unseen">"Actions"</span> }.into_any(),
                label => label.into_any(),
            };
            view! {
                <div class=format!("card table {class}")>
                    <table>
                        <thead>
                            <tr>
                                {columns.iter().map(|label| view! { <th scope="col">{heading(label)}</th> }).collect_view()}
                            </tr>
                        </thead>
                        <tbody>{rows.run(data)}</tbody>
                    </table>
                </div>
                <Pager newest older />
            }
        })),
    }
}
