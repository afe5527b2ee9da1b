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

/// See [`kept`].
#[cfg(target_family = "wasm")]
pub type Kept<T> = Memo<T>;
/// See [`kept`].
#[cfg(not(target_family = "wasm"))]
pub type Kept<T> = Signal<T>;

/// What a page knows by a resource, inside of what waits for it: things are drawn anew only when it changes.
///
/// On the server it is found out at each look. A memo that is looked at there while its resource comes in, on another thread, may
/// stay what it was before (`reactive_graph` 0.2.16 marks it clean after its function ran), and the browser would take over bones
/// with the data of a page, which ends the application.
pub fn kept<T: Clone + PartialEq + Send + Sync + 'static>(of: impl Fn() -> T + Send + Sync + 'static) -> Kept<T> {
    #[cfg(target_family = "wasm")]
    return Memo::new(move |_| of());
    #[cfg(not(target_family = "wasm"))]
    Signal::derive(of)
}

/// What a dialog is about, from the first answer on: it stays as it is, with what is typed, while others change that.
pub fn once<T: Clone + PartialEq + Send + Sync + 'static>(
    of: impl Fn() -> Option<T> + Send + Sync + 'static,
) -> Kept<Option<T>> {
    #[cfg(target_family = "wasm")]
    return Memo::new(move |known: Option<&Option<T>>| known.cloned().flatten().or_else(&of));
    #[cfg(not(target_family = "wasm"))]
    Signal::derive(of)
}

impl Shown {
    /// Of what a resource holds.
    pub fn of<T>(loaded: Resource<Result<T, ApiError>>, is_empty: fn(&T) -> bool) -> Kept<Self>
    where
        T: Send + Sync + 'static,
    {
        kept(move || {
            loaded.with(|loaded| match loaded {
                None => Self::Loading,
                Some(Err(error)) => Self::Failed(error.clone()),
                Some(Ok(value)) if is_empty(value) => Self::Empty,
                Some(Ok(_)) => Self::Full,
            })
        })
    }
}
