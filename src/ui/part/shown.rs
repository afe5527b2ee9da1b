//! What a list has to show.

use crate::api::error::ApiError;
use leptos::prelude::*;

/// The state of a list: a page draws anew only when this changes, so that its rows keep their focus.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// Nothing has come yet.
    Loading,
    /// It could not be loaded.
    Failed(ApiError),
    /// There is nothing.
    Empty,
    /// There is something.
    Full,
}

impl Shown {
    /// Of what a resource holds.
    pub fn of<T>(loaded: Resource<Result<T, ApiError>>, is_empty: fn(&T) -> bool) -> Memo<Self>
    where
        T: Send + Sync + 'static,
    {
        Memo::new(move |_| {
            loaded.with(|loaded| match loaded {
                None => Self::Loading,
                Some(Err(error)) => Self::Failed(error.clone()),
                Some(Ok(value)) if is_empty(value) => Self::Empty,
                Some(Ok(_)) => Self::Full,
            })
        })
    }
}
