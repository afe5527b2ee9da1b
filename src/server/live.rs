//! Hints for open pages: "something about messages changed". A hint carries no data, so it can leak none; the page asks
//! again through its own, guarded call.

use crate::domain::id::OrganizationId;
use tokio::sync::broadcast;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Accounts, their health or usage.
    Accounts,
    /// Imports of leads, and how far they are.
    Imports,
    /// Leads.
    Leads,
    /// Messages.
    Messages,
    /// Sequences, campaigns and runs.
    Sequences,
    /// Templates and snippets.
    Templates,
}

impl Topic {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Imports => "imports",
            Self::Leads => "leads",
            Self::Messages => "messages",
            Self::Sequences => "sequences",
            Self::Templates => "templates",
        }
    }
}

/// One hint.
#[derive(Debug, Clone)]
pub struct Hint {
    /// For the open pages of this organization only.
    pub organization_id: OrganizationId,
    /// What changed.
    pub topic: Topic,
    /// The row, when it is one.
    pub id: Option<String>,
}

/// The hints of this process.
pub struct Live(broadcast::Sender<Hint>);

impl Default for Live {
    fn default() -> Self {
        Self(broadcast::channel(256).0)
    }
}

impl Live {
    /// Tells all open pages of an organization. Nobody listening is fine.
    pub fn publish(&self, organization: &OrganizationId, topic: Topic, id: Option<&str>) {
        let hint = Hint { organization_id: organization.clone(), topic, id: id.map(str::to_owned) };
        let _ = self.0.send(hint);
    }

    /// Listens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Hint> {
        self.0.subscribe()
    }
}
