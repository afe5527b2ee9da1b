//! What is true: types, parsing, rules. Runs on the server and in the browser alike.
//!
//! Only std, serde, thiserror and zeroize (a secret must be wiped wherever it lives). No clock, no chance, no network:
//! they come in as arguments. Start with [`account`] and [`message`].

pub mod account;
pub mod api_key;
pub mod audience;
pub mod campaign;
pub mod change;
pub mod channel;
pub mod consent;
pub mod dashboard;
pub mod email;
pub mod email_account;
pub mod field_error;
pub mod forecast;
pub mod id;
pub mod import;
pub mod installation;
pub mod lead;
pub mod limit;
pub mod mailbox;
pub mod message;
pub mod page;
pub mod phone;
pub mod rehearsal;
pub mod rules;
pub mod secret;
pub mod segment;
pub mod selection;
pub mod sequence;
pub mod session;
pub mod template;
pub mod text;
pub mod time;
pub mod unsubscribe;
pub mod user;
pub mod window;
