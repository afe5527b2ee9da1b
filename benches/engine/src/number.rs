//! Numbers of several turns as one.

/// The middle one.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    match numbers.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => numbers[half],
        _ => f64::midpoint(numbers[half - 1], numbers[half]),
    }
}

/// The median of a number of each.
pub fn of<T>(items: &[T], number: impl Fn(&T) -> f64) -> f64 {
    median(items.iter().map(number).collect())
}

/// From kilobytes.
#[expect(clippy::cast_precision_loss, reason = "told in three digits")]
pub fn megabytes(kb: u64) -> f64 {
    kb as f64 / 1024.0
}
