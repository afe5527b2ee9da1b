//! The key of an organization's record of consent: fingerprints of addresses, seals of entries, proofs of links.

use crate::{
    domain::{
        channel::Channel,
        id::{MessageId, OrganizationId},
        lead::Way,
        phone::PhoneNumber,
        secret::Secret,
    },
    server::{
        App,
        clock::random_bytes,
        store::{self, Conn, consent::Entry},
        vault::{Place, VaultError},
    },
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The key of an organization.
pub struct Key(Hmac<Sha256>);

/// Keys that were opened. A key never changes but by [`super::renew`], which forgets it here.
#[derive(Default)]
pub struct Keys(Mutex<HashMap<OrganizationId, Arc<Key>>>);

impl Keys {
    fn get(&self, organization: &OrganizationId) -> Option<Arc<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(organization).cloned()
    }

    fn keep(&self, organization: &OrganizationId, key: Key) -> Arc<Key> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.entry(organization.clone()).or_insert_with(|| Arc::new(key)).clone()
    }

    pub(super) fn forget(&self, organization: &OrganizationId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(organization);
    }
}

impl Key {
    pub(super) fn new(secret: &Secret) -> Self {
        Self(Hmac::new_from_slice(secret.expose().as_bytes()).expect("a key of any length"))
    }

    /// HMAC-SHA-256 over parts of any content, as hex.
    fn mac(&self, parts: &[&str]) -> String {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        hex::encode(mac.finalize().into_bytes())
    }

    /// What remains of an address: the same for SMS and WhatsApp, and for all notations of a number.
    pub fn fingerprint(&self, way: &Way) -> String {
        let number = || PhoneNumber::parse_e164(&way.address).map(|number| number.key());
        match way.channel {
            Channel::Email => self.mac(&["email", &way.address.to_lowercase()]),
            Channel::Sms | Channel::Whatsapp => {
                self.mac(&["number", &number().unwrap_or_else(|_| way.address.clone())])
            }
        }
    }

    pub(super) fn fingerprints(&self, ways: &[Way]) -> Vec<String> {
        ways.iter().map(|way| self.fingerprint(way)).collect()
    }

    /// Shows that a link to unsubscribe is ours: 128 bits.
    pub fn proof(&self, message: &MessageId) -> String {
        let mut proof = self.mac(&["unsubscribe", message.as_str()]);
        proof.truncate(32);
        proof
    }

    /// Seals an entry to the one before, whose digest is `previous`.
    pub(super) fn digest(&self, previous: &str, entry: &Entry) -> String {
        self.mac(&[
            previous,
            &entry.number.to_string(),
            &entry.at.0.to_string(),
            entry.act.as_str(),
            entry.channel.as_str(),
            &entry.fingerprint,
            entry.source.as_str(),
            // Nothing said is not the same as an empty text.
            if entry.detail.is_some() { "1" } else { "0" },
            entry.detail.as_deref().unwrap_or_default(),
            entry.message_id.as_ref().map_or("", MessageId::as_str),
        ])
    }
}

fn place(organization: &OrganizationId) -> Place<'_> {
    let id = organization.as_str();
    Place { table: "consent_head", column: "key", organization: id, row: id }
}

/// A new key, sealed.
pub(super) fn new_sealed(app: &App, organization: &OrganizationId) -> String {
    app.vault.seal(&place(organization), &Secret::new(hex::encode(random_bytes::<32>())))
}

/// Opens a sealed key.
pub(super) fn open(app: &App, organization: &OrganizationId, sealed: &str) -> Result<Key, VaultError> {
    Ok(Key::new(&app.vault.open(&place(organization), sealed)?))
}

/// The key sealed with the vault's first key; `None` when it is already.
pub fn reseal(app: &App, organization: &OrganizationId, sealed: &str) -> Result<Option<String>, VaultError> {
    let opened = app.vault.open(&place(organization), sealed)?;
    Ok(app.vault.is_stale(sealed).then(|| app.vault.seal(&place(organization), &opened)))
}

/// The organization's key; `None` when it does not open: then nobody knows who must not be written to.
pub async fn find(app: &App, conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<Option<Arc<Key>>> {
    if let Some(key) = app.consent_keys.get(organization) {
        return Ok(Some(key));
    }
    let opened = match store::consent::head(conn, organization).await? {
        Some(head) => open(app, organization, &head.key).map_err(|why| why.to_string()),
        None => Err("there is none".to_owned()),
    };
    match opened {
        Ok(key) => Ok(Some(app.consent_keys.keep(organization, key))),
        Err(why) => {
            tracing::error!(organization.id = %organization, error.cause = why, "the record of consent cannot be read");
            Ok(None)
        }
    }
}

/// The same where nothing can be done without it.
pub async fn need(app: &App, conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<Arc<Key>> {
    let missing = "the key of the record of consent does not open";
    find(app, conn, organization).await?.ok_or_else(|| sqlx::Error::Decode(missing.into()))
}
