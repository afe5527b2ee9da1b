//! How much of the day's limit is used.

use leptos::prelude::*;

/// The fill in percent, and whether it is close to the limit (above 80 %).
fn fill(used: u32, limit: u32) -> (u32, bool) {
    let percent = u64::from(used) * 100 / u64::from(limit.max(1));
    (u32::try_from(percent.min(100)).unwrap_or(100), u64::from(used) * 100 > u64::from(limit) * 80)
}

/// "37 / 100" over a bar; `name` says whose, for screen readers. Drawn as SVG: the content security policy allows no
/// inline styles.
pub fn usage_bar(used: u32, limit: u32, name: &str) -> impl IntoView + use<> {
    let (percent, is_hot) = fill(used, limit);
    view! {
        <div
            class=if is_hot { "usage hot" } else { "usage" }
            role="meter"
            aria-valuemin="0"
            aria-valuemax=limit.to_string()
            aria-valuenow=used.min(limit).to_string()
            aria-valuetext=format!("{used} of {limit} messages")
            aria-label=format!("Usage today of {name}")
        >
            <b>{used.to_string()}</b>
            <span>{format!(" / {limit}")}</span>
            <svg aria-hidden="true">
                <rect width=format!("{percent}%") height="100%" />
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
