//! What a page must know about the installation as a whole.

use serde::{Deserialize, Serialize};

/// The state that the shell shows above every page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Installation {
    /// The configured encryption key does not open the stored credentials.
    pub wrong_key: bool,
    /// The organization has accounts, and all of them are sandboxes: nothing leaves.
    pub only_sandbox: bool,
    /// The demo data is loaded.
    pub has_demo: bool,
}
