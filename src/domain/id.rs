//! Identifiers: one type per noun, so that an account's id cannot be handed in for a message's.

use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, fmt};

/// The text is no identifier of ours. Callers treat it as "not found": an id that cannot exist does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id")]
pub struct NotAnId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Accepts a ULID in its canonical form: 26 characters of Crockford's base 32, upper case.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                Self::try_from(text.to_owned())
            }

            /// The canonical text, which sorts by time of creation.
            pub fn as_str(&self) -> &str { &self.0 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str { &self.0 }
        }

        // Found by its text in maps and sets: hash and order are the text's own.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str { &self.0 }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;
            fn try_from(text: String) -> Result<Self, NotAnId> {
                let is_canonical = text.len() == 26
                    && text.bytes().all(|b| b.is_ascii_digit() || (b.is_ascii_uppercase() && !b"ILOU".contains(&b)));
                if is_canonical { Ok(Self(text)) } else { Err(NotAnId) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> { Self::parse(text) }
        }
    )+ };
}

ids! {
    /// An organization: the tenant that every row belongs to.
    OrganizationId;
    /// A person who signs in.
    UserId;
    /// A signed-in browser.
    SessionId;
    /// A key for programs.
    ApiKeyId;
    /// A sender account.
    AccountId;
    /// A message, outbound or inbound.
    MessageId;
    /// A person to reach.
    LeadId;
    /// Leads that have a name together.
    SegmentId;
    /// A change to many leads.
    ChangeId;
    /// An address that nothing may be sent to.
    SuppressionId;
    /// A text with variables.
    TemplateId;
    /// A piece of text that templates share.
    SnippetId;
    /// Steps that leads go through.
    SequenceId;
    /// One message to many.
    CampaignId;
    /// A lead's run through a sequence.
    EnrollmentId;
    /// A file of leads.
    ImportId;
    /// One entry of a message's timeline.
    EventId;
    /// One try to hand a message to a provider.
    AttemptId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_ulids_are_ids() {
        assert!(AccountId::parse("01JDF3ZS0V8R4C7N2Q9W5K6M1T").is_ok());
        for wrong in [
            "",
            "1",
            "01JDF3ZS0V8R4C7N2Q9W5K6M1I",
            "01jdf3zs0v8r4c7n2q9w5k6m1t",
            "01JDF3ZS0V8R4C7N2Q9W5K6M1T0",
            "' or 1=1 --                ",
        ] {
            assert_eq!(AccountId::parse(wrong), Err(NotAnId), "{wrong}");
        }
    }
}
