//! Lists in pages, as all of Twilio's of 2010-04-01 are.

use serde_json::{Value, json};

/// Entries of a page when none are asked for.
const SIZE: usize = 50;
/// The most entries of a page.
const SIZE_MAX: usize = 1_000;

/// A query, in the order in which it came.
pub(super) type Query = Vec<(String, String)>;

/// The value of a parameter; an empty one counts as missing.
pub(super) fn value<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

/// One page of `items`. The token of the next page names the last entry of this one, so that entries which came in
/// between shift nothing.
pub(super) fn page<T>(
    (path, name): (&str, &str),
    query: &[(String, String)],
    items: &[T],
    sid: impl Fn(&T) -> &str,
    json: impl Fn(&T) -> Value,
) -> Value {
    let number = |name| value(query, name).and_then(|text| text.parse::<usize>().ok());
    let size = number("PageSize").unwrap_or(SIZE).clamp(1, SIZE_MAX);
    let page = number("Page").unwrap_or(0);
    let last = value(query, "PageToken").and_then(|token| token.strip_prefix("PA"));
    let start = last
        .and_then(|last| items.iter().position(|item| sid(item) == last))
        .map_or_else(|| page.saturating_mul(size), |at| at + 1)
        .min(items.len());
    let shown = &items[start..(start + size).min(items.len())];
    let uri = |page: usize, token: Option<&str>| {
        let own = ["PageSize", "Page", "PageToken"];
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(query.iter().filter(|(name, _)| !own.contains(&name.as_str())));
        pairs.append_pair("PageSize", &size.to_string()).append_pair("Page", &page.to_string());
        if let Some(token) = token {
            pairs.append_pair("PageToken", &format!("PA{token}"));
        }
        format!("{path}?{}", pairs.finish())
    };
    let next = shown.last().filter(|_| start + shown.len() < items.len()).map(|item| uri(page + 1, Some(sid(item))));
    let first = page.saturating_mul(size);
    json!({
        name: shown.iter().map(json).collect::<Vec<_>>(),
        "page": page,
        "page_size": size,
        "start": first,
        "end": first + shown.len().saturating_sub(1),
        "uri": uri(page, last),
        "first_page_uri": uri(0, None),
        "next_page_uri": next,
        "previous_page_uri": page.checked_sub(1).map(|page| uri(page, None)),
    })
}
