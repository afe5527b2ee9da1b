//! What pages share: small components on native HTML, so that a page reads as a page.

pub mod badge;
pub mod bars;
pub mod empty_state;
pub mod error_box;
pub mod field;
pub mod form;
pub mod hydrated;
pub mod icon;
pub mod late;
pub mod lazy;
pub mod listing;
pub mod live;
pub mod modal;
pub mod page_head;
pub mod pager;
pub mod post;
pub mod question;
pub mod select;
pub mod shell;
pub mod shown;
pub mod skeleton;
pub mod submit;
pub mod theme;
pub mod time;
pub mod toast;
pub mod usage_bar;
