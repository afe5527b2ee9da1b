//! Unsubscribing: what the page behind the link of a mail shows.

use super::channel::Channel;
use serde::{Deserialize, Serialize};

/// Somebody about to leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// Who wrote.
    pub organization: String,
    /// How.
    pub channel: Channel,
    /// To whom, veiled: the link may have been passed on.
    pub address: String,
    /// Whether nothing is sent there already.
    pub is_gone: bool,
}

impl Leaving {
    /// As much of an address as its owner needs to know it again: `k…@example.com`, `…0132`.
    pub fn veil(channel: Channel, address: &str) -> String {
        let mailbox = address.split_once('@').filter(|_| channel == Channel::Email);
        if let Some((local, domain)) = mailbox {
            let first: String = local.chars().take(1).collect();
            format!("{first}…@{domain}")
        } else {
            let end: String = address.chars().rev().take(4).collect();
            format!("…{}", end.chars().rev().collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_veiled_and_known_again() {
        assert_eq!(Leaving::veil(Channel::Email, "kim.lee@example.com"), "k…@example.com");
        assert_eq!(Leaving::veil(Channel::Email, "@"), "…@");
        assert_eq!(Leaving::veil(Channel::Sms, "+14155550132"), "…0132");
    }
}
