//! How much of the day's limit is used.

use leptos::prelude::*;

/// The fill in percent, and whether it is close to the limit (above 80 %).
fn fill(used: u32, limit: u32) -> (u32, bool) {
    let percent = u64::from(used) * 100 / u64::from(limit.max(1));
    (u32::try_from(percent.min(100)).unwrap_or(100), u64::from(used) * 100 > u64::from(limit) * 80)
}

/// "37 / 100" over a bar. Drawn as SVG: the content security policy allows no inline styles.
#[component]
pub fn UsageBar(
    /// Sent today.
    #[prop(into)]
    used: Signal<u32>,
    /// The daily limit.
    #[prop(into)]
    limit: Signal<u32>,
    /// Whose, for screen readers.
    #[prop(into)]
    name: Signal<String>,
) -> impl IntoView {
    let width = move || format!("{}%", fill(used.get(), limit.get()).0);
    view! {
        <div
            class="usage"
            class:hot=move || fill(used.get(), limit.get()).1
            role="meter"
            aria-valuemin="0"
            aria-valuemax=move || limit.get().to_string()
            aria-valuenow=move || used.get().min(limit.get()).to_string()
            aria-valuetext=move || format!("{} of {} messages", used.get(), limit.get())
            aria-label=move || format!("Usage today of {}", name.get())
        >
            <b>{move || used.get()}</b>
            <span>" / " {move || limit.get()}</span>
            <svg aria-hidden="true">
                <rect width=width height="100%" />
            </svg>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn it_is_hot_above_eighty_percent_and_never_over_full() {
        assert_eq!(fill(0, 100), (0, false));
        assert_eq!(fill(80, 100), (80, false));
        assert_eq!(fill(81, 100), (81, true));
        assert_eq!(fill(300, 100), (100, true));
    }
}
