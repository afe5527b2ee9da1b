//! What sequences and campaigns show in the same way: numbers of messages, and why something was refused.

use crate::{api::error::ApiError, domain::field_error::FieldError, ui::part::form::sentence};
use leptos::prelude::*;

/// Numbers of messages as a bar, whose parts have a class and a size, and as text: class, label, number. The bar is SVG: the
/// content security policy allows no inline styles.
pub fn progress<const P: usize, const N: usize>(
    parts: [(&'static str, u32); P],
    numbers: [(&'static str, &'static str, u32); N],
) -> impl IntoView {
    let total: u64 = parts.iter().map(|(_, count)| u64::from(*count)).sum();
    let mut before = 0_u64;
    let tenths = |count: u64| format!("{}.{}%", count * 100 / total.max(1), count * 1000 / total.max(1) % 10);
    let bar = parts.map(|(class, count)| {
        let x = before;
        before += u64::from(count);
        (count > 0).then(|| view! { <rect class=class x=tenths(x) width=tenths(u64::from(count)) height="100%" /> })
    });
    let number = |(class, label, count): (&'static str, &'static str, u32)| {
        view! {
            <div class=class>
                <dt>{label}</dt>
                <dd>{count}</dd>
            </div>
        }
    };
    view! {
        <svg class="stacked" aria-hidden="true">
            {bar.into_iter().collect_view()}
        </svg>
        <dl class="numbers">{numbers.map(number).into_iter().collect_view()}</dl>
    }
}

/// Why a sequence or a campaign cannot send, and what to do about it.
pub fn refused(
    error: &ApiError,
    // Where its editor is.
    edit: String,
    // What it is.
    noun: &'static str,
) -> impl IntoView + use<> {
    let fault = move |fault: &FieldError| {
        // What is wrong with its accounts is a sentence already.
        let does_lack_account = fault.field == "account_ids";
        let (what, verb) = match fault.field.as_str() {
            "account_ids" => (fault.message.clone(), "edit"),
            "steps" => (format!("the number of steps {}", fault.message), "Edit"),
            _ => (format!("the {} {}", fault.subject(), fault.message), "Edit"),
        };
        view! {
            <li>
                {sentence(&what)} " "
                {does_lack_account.then(|| view! { <a href="/accounts?add=1">"Connect an account"</a> " or " })}
                <a href=edit.clone()>{format!("{verb} the {noun}")}</a>
            </li>
        }
    };
    view! {
        <div class="notice bad">
            <b>{sentence(&error.message)}</b>
            <ul>{error.fields.0.iter().map(fault).collect_view()}</ul>
        </div>
    }
}
