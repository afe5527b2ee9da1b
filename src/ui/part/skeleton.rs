//! The shape of what is coming.

use leptos::prelude::*;

/// A table of grey bars.
#[component]
pub fn TableSkeleton(
    /// Columns of the table.
    columns: usize,
) -> impl IntoView {
    let row = move || {
        view! {
            <tr>
                {(0..columns).map(|_| view! { <td><span class="bone"></span></td> }).collect_view()}
            </tr>
        }
    };
    view! {
        <div class="card table" aria-busy="true">
            <p class="unseen">"Loading…"</p>
            <table aria-hidden="true">
                <tbody>{(0..4).map(|_| row()).collect_view()}</tbody>
            </table>
        </div>
    }
}
