//! The first rows of a file, and what its columns mean.

use crate::{
    api::import::MapImport,
    domain::import::{
        Review,
        column::{FIELDS, Field, custom_key},
    },
    ui::part::{
        error_box::FormError,
        form::Faults,
        post::{Post, PostForm},
        select::entries,
        submit::Submit,
    },
};
use leptos::prelude::*;

/// The form: a choice above each column.
#[component]
pub fn Columns(review: Review) -> impl IntoView {
    let action = Post::to::<MapImport>(|_| {});
    let faults = Faults::of_post(action);
    let Review { import, sample, .. } = review;
    let width = import.columns.len();
    let choice = move |(at, (name, mapped)): (usize, (String, Field))| {
        let chosen = faults.typed(&format!("columns[{at}]")).unwrap_or_else(|| mapped.as_text());
        view! {
            <th scope="col">
                <label for=format!("column-{at}")>{name.clone()}</label>
                <select id=format!("column-{at}") name=format!("columns[{at}]")>
                    {entries(choices(&name, &chosen), &chosen)}
                </select>
            </th>
        }
    };
    let heads = import.columns.into_iter().zip(import.mapping).enumerate().map(choice).collect_view();
    let row = move |row: Vec<String>| {
        let cell = |at: usize| view! { <td>{row.get(at).cloned().unwrap_or_default()}</td> };
        view! { <tr>{(0..width).map(cell).collect_view()}</tr> }
    };
    view! {
        <PostForm to=action>
            <input type="hidden" name="id" value=import.id.to_string() />
            <div class="card inner stack">
                <div>
                    <h2>"What do the columns mean?"</h2>
                    <p class="soft">
                        {format!("{} rows, {}. Tern remembers your choice for files with the same columns.", import.rows_total, import.encoding)}
                    </p>
                </div>
                <label class="check">
                    <input type="checkbox" name="header" value="yes" checked=import.has_header />
                    "The first row has the names of the columns"
                </label>
                <div class="file-rows" tabindex="0" role="region" aria-label="The first rows of the file">
                    <table>
                        <thead>
                            <tr>{heads}</tr>
                        </thead>
                        <tbody>{sample.into_iter().map(row).collect_view()}</tbody>
                    </table>
                </div>
                <FormError error=faults.answer() />
                <div>
                    <Submit pending=action.pending() busy="Saving…">
                        "Continue"
                    </Submit>
                </div>
            </div>
        </PostForm>
    }
}

/// All fields of a lead, a custom field of the column's own name, and the chosen one, whatever it is.
fn choices(name: &str, chosen: &str) -> Vec<(String, String)> {
    let mut choices: Vec<(String, String)> =
        FIELDS.into_iter().map(|(field, label)| (field.as_text(), label.to_owned())).collect();
    let own = custom_key(name).map(|key| format!("custom.{key}"));
    for custom in own.into_iter().chain([chosen.to_owned()]) {
        if !choices.iter().any(|(value, _)| *value == custom) {
            let key = custom.trim_start_matches("custom.");
            let label = format!("Custom field {key}");
            choices.push((custom, label));
        }
    }
    choices
}
