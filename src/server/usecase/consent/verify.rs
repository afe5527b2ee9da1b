//! Whether the record of consent is whole, and the list of suppressed addresses what follows from it.

use super::{Key, find_key};
use crate::{
    domain::{consent::Act, id::OrganizationId},
    server::{
        App,
        error::Error,
        store::{self, consent::Entry},
    },
};
use std::{collections::BTreeMap, fmt};

/// Entries that are read in one go.
const BATCH: i64 = 1000;
/// Addresses that are looked up in one go.
const PRINTS: usize = 1000;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Entries that there are.
    pub entries: i64,
    /// Of the last one: written down elsewhere, it shows later that nothing was cut off.
    pub digest: String,
    /// The first entries, whose key is lost.
    pub unverifiable: i64,
    /// What must not be, a sentence each.
    pub faults: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entries, the last one {}:{}", self.entries, self.entries, self.digest)?;
        if self.unverifiable > 0 {
            write!(f, "; the first {} cannot be verified: their key is lost", self.unverifiable)?;
        }
        for fault in &self.faults {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

/// Reads the whole record of an organization. `expected`: number and digest of an entry, as they were told before.
pub async fn verify(app: &App, organization: &OrganizationId, expected: Option<(i64, &str)>) -> Result<Verdict, Error> {
    let mut conn = app.db.read().await?;
    let mut verdict = Verdict::default();
    let Some(head) = store::consent::head(&mut conn, organization).await? else {
        verdict.faults.push("There is no record.".to_owned());
        return Ok(verdict);
    };
    let Some(key) = find_key(app, &mut conn, organization).await? else {
        verdict.faults.push("Its key opens with none of the configured keys.".to_owned());
        return Ok(verdict);
    };
    verdict.unverifiable = head.first - 1;
    let mut walk = Walk { key: &key, first: head.first, number: 0, digest: String::new(), standing: BTreeMap::new() };
    let mut is_expected = expected.is_none();
    loop {
        let batch = store::consent::list(&mut conn, organization, walk.number, BATCH).await?;
        if batch.is_empty() {
            break;
        }
        for entry in batch {
            is_expected |= expected.is_some_and(|(number, digest)| entry.number == number && entry.digest == digest);
            verdict.faults.extend(walk.step(&entry));
        }
    }
    (verdict.entries, verdict.digest) = (walk.number, walk.digest.clone());
    // Somebody may have added to it meanwhile: then it is longer, never shorter.
    let is_other = head.number >= head.first && walk.digest != head.digest;
    let is_cut = walk.number < head.number || (walk.number == head.number && is_other);
    if is_cut {
        verdict.faults.push(format!("It ends with entry {}, and should with entry {}.", walk.number, head.number));
    }
    if !is_expected {
        verdict.faults.push("The entry that was told before is not in it.".to_owned());
    }
    verdict.faults.extend(unlisted(app, organization, &walk).await?);
    Ok(verdict)
}

/// The way through the record, entry by entry.
struct Walk<'a> {
    key: &'a Key,
    first: i64,
    number: i64,
    digest: String,
    /// Of each address that was said to be left alone: the entry that says so.
    standing: BTreeMap<String, i64>,
}

impl Walk<'_> {
    fn step(&mut self, entry: &Entry) -> Option<String> {
        let previous = if entry.number == self.first { "" } else { self.digest.as_str() };
        let is_next = entry.number == self.number + 1;
        let is_sealed = entry.number < self.first || self.key.digest(previous, entry) == entry.digest;
        (self.number, self.digest) = (entry.number, entry.digest.clone());
        if entry.number >= self.first {
            match entry.act {
                Act::Started | Act::Allowed => _ = self.standing.remove(&entry.fingerprint),
                act if act.is_stop() == Some(true) => _ = self.standing.insert(entry.fingerprint.clone(), entry.number),
                _ => {}
            }
        }
        if !is_next {
            Some(format!("Before entry {} another one is missing.", entry.number))
        } else if !is_sealed {
            Some(format!("Entry {} was changed, or the one before it.", entry.number))
        } else {
            None
        }
    }
}

/// Whoever asked to be left alone must be on the list.
async fn unlisted(app: &App, organization: &OrganizationId, walk: &Walk<'_>) -> Result<Vec<String>, Error> {
    let mut conn = app.db.read().await?;
    let prints: Vec<&String> = walk.standing.keys().collect();
    let mut faults = Vec::new();
    for prints in prints.chunks(PRINTS) {
        let listed = store::suppression::find(&mut conn, app.db.dialect, organization, prints.iter().copied()).await?;
        let missing = prints.iter().filter(|print| listed.iter().all(|listed| listed.fingerprint != ***print));
        faults.extend(
            missing.filter_map(|print| walk.standing.get(*print)).map(|number| {
                format!("Whoever entry {number} is about is not on the list of those who are left alone.")
            }),
        );
    }
    Ok(faults)
}
