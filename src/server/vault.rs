//! The vault: credentials at rest under AES-256-GCM.
//!
//! Stored as `v1.<key id>.<nonce>.<ciphertext and tag>` (base64url). The associated data names table, column, organization
//! and row, so a ciphertext that is moved elsewhere does not open. The key id is a fingerprint of the key itself: whatever
//! label the operator gives a key, the right one is found.

use crate::{domain::secret::Secret, server::clock::random_bytes};
use aes_gcm::{
    Aes256Gcm, AesGcm, Key, KeyInit, Nonce,
    aead::{Aead, Payload, consts::U16},
    aes::Aes256,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use sha2::{Digest, Sha256};
use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};
use zeroize::Zeroizing;

/// Shortest secret that is accepted as a key.
const SECRET_MIN: usize = 16;

/// Where a secret lives: part of what is authenticated.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Table.
    pub table: &'a str,
    /// Column.
    pub column: &'a str,
    /// The tenant.
    pub organization: &'a str,
    /// The row's id.
    pub row: &'a str,
}

impl Place<'_> {
    /// Length-prefixed, so that no two places write the same bytes.
    fn bytes(&self, key_id: &str) -> Vec<u8> {
        let mut bytes = b"tern/v1".to_vec();
        for part in [self.table, self.column, self.organization, self.row, key_id] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

/// Why a secret does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Sealed with a key that is not configured.
    #[error("sealed with a key that is not configured")]
    UnknownKey,
    /// Damaged, or moved from another place.
    #[error("the sealed value does not open")]
    Damaged,
}

struct VaultKey {
    id: String,
    bytes: Zeroizing<[u8; 32]>,
}

impl VaultKey {
    /// The AES key is the SHA-256 of the secret; its id is a fingerprint of the key.
    fn new(secret: &str) -> Self {
        let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(Sha256::digest(secret.as_bytes()).into());
        let print = Sha256::new().chain_update(b"tern/key-id").chain_update(*bytes).finalize();
        Self { id: hex::encode(&print[..4]), bytes }
    }

    fn key(&self) -> Key<Aes256Gcm> {
        (*self.bytes).into()
    }
}

/// The keys: the first seals, all open.
pub struct Vault {
    keys: Vec<VaultKey>,
}

impl Vault {
    /// Reads `ENCRYPTION_KEY`: one secret of at least 16 characters, or a comma-separated list `label:secret`.
    pub fn parse(configured: &str) -> Result<Self, String> {
        let labelled = |part: &str| {
            part.split_once(':').is_some_and(|(label, _)| {
                (1..=16).contains(&label.len())
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            })
        };
        let is_list = configured.split(',').all(labelled);
        let secrets: Vec<&str> = if is_list {
            configured.split(',').filter_map(|part| part.split_once(':')).map(|(_, secret)| secret).collect()
        } else {
            vec![configured]
        };
        if secrets.iter().any(|secret| secret.chars().count() < SECRET_MIN) {
            return Err(format!("ENCRYPTION_KEY: every secret must have at least {SECRET_MIN} characters"));
        }
        Ok(Self { keys: secrets.into_iter().map(VaultKey::new).collect() })
    }

    /// Reads the key file, or makes one that only its owner can read.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(Zeroizing::new(text).trim()).map_err(|error| format!("{shown}: {error}")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let secret = Zeroizing::new(BASE64.encode(random_bytes::<32>()));
                let mut file = fs::OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(path)
                    .map_err(|error| format!("cannot make the key file {shown}: {error}"))?;
                file.write_all(secret.as_bytes())
                    .and_then(|()| file.sync_all())
                    .map_err(|error| format!("cannot write the key file {shown}: {error}"))?;
                Self::parse(&secret)
            }
            Err(error) => Err(format!("cannot read the key file {shown}: {error}")),
        }
    }

    /// The id of the key that seals.
    pub fn primary(&self) -> &str {
        &self.keys[0].id
    }

    /// The ids of all configured keys.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// Seals `secret` for its place, under a fresh random nonce.
    pub fn seal(&self, place: &Place<'_>, secret: &Secret) -> String {
        let key = &self.keys[0];
        let nonce = random_bytes::<12>();
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &place.bytes(&key.id) };
        let sealed = Aes256Gcm::new(&key.key()).encrypt(&Nonce::from(nonce), payload).expect("AES-GCM takes 64 GiB");
        format!("v1.{}.{}.{}", key.id, BASE64.encode(nonce), BASE64.encode(sealed))
    }

    /// Opens what was sealed for this very place, or the older `ivHex:tagHex:cipherHex`, which names no place.
    pub fn open(&self, place: &Place<'_>, sealed: &str) -> Result<Secret, VaultError> {
        let Some(rest) = sealed.strip_prefix("v1.") else { return self.open_older(sealed) };
        let [key_id, nonce, sealed] = rest.splitn(3, '.').collect::<Vec<_>>()[..] else {
            return Err(VaultError::Damaged);
        };
        let key = self.keys.iter().find(|key| key.id == key_id).ok_or(VaultError::UnknownKey)?;
        let decode = |text| BASE64.decode(text).map_err(|_| VaultError::Damaged);
        let nonce: [u8; 12] = decode(nonce)?.try_into().map_err(|_| VaultError::Damaged)?;
        let sealed = decode(sealed)?;
        let payload = Payload { msg: &sealed, aad: &place.bytes(key_id) };
        let open = Aes256Gcm::new(&key.key()).decrypt(&Nonce::from(nonce), payload).map_err(|_| VaultError::Damaged)?;
        into_secret(open)
    }

    /// The older format: 16-byte nonce, no associated data. Every key is tried, for it carries no id.
    fn open_older(&self, sealed: &str) -> Result<Secret, VaultError> {
        let parts: Vec<Vec<u8>> =
            sealed.split(':').map(decode_hex).collect::<Option<_>>().ok_or(VaultError::Damaged)?;
        let [nonce, tag, cipher] = parts.as_slice() else { return Err(VaultError::Damaged) };
        let nonce: [u8; 16] = nonce.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
        let message = [cipher.as_slice(), tag.as_slice()].concat();
        let open = |key: &VaultKey| {
            let cipher = AesGcm::<Aes256, U16>::new(&key.key());
            cipher.decrypt(&Nonce::<U16>::from(nonce), message.as_slice()).ok()
        };
        self.keys.iter().find_map(open).ok_or(VaultError::UnknownKey).and_then(into_secret)
    }

    /// True when `sealed` should be sealed anew: by an older key, or in the older format.
    pub fn is_stale(&self, sealed: &str) -> bool {
        !sealed.starts_with(&format!("v1.{}.", self.primary()))
    }
}

fn into_secret(open: Vec<u8>) -> Result<Secret, VaultError> {
    String::from_utf8(open).map(Secret::new).map_err(|_| VaultError::Damaged)
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let nibble = |b: u8| char::from(b).to_digit(16).and_then(|n| u8::try_from(n).ok());
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place { table: "account", column: "secret", organization: "o1", row: "r1" };
    const OLDER: (&str, &str) = ("7f21bef3ab00799ce153b6e0d1bee9bc", "aea33fd32eea8b03112ff172");

    fn vault() -> Vault {
        Vault::parse("correct horse battery staple").expect("long enough")
    }

    #[test]
    fn a_secret_opens_in_its_own_place_only() {
        let vault = vault();
        let sealed = vault.seal(&PLACE, &Secret::new("token".into()));
        assert_eq!(vault.open(&PLACE, &sealed).expect("opens").expose(), "token");
        for other in [
            Place { table: "email", ..PLACE },
            Place { column: "other", ..PLACE },
            Place { organization: "o2", ..PLACE },
            Place { row: "r2", ..PLACE },
        ] {
            assert_eq!(vault.open(&other, &sealed).err(), Some(VaultError::Damaged), "{other:?}");
        }
    }

    #[test]
    fn every_flipped_character_is_noticed() {
        let vault = vault();
        let sealed = vault.seal(&PLACE, &Secret::new("token".into()));
        for at in 0..sealed.len() - 1 {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(vault.open(&PLACE, &String::from_utf8(bytes).expect("ascii")).is_err(), "{at}");
        }
    }

    #[test]
    fn two_seals_of_the_same_secret_differ() {
        let (vault, secret) = (vault(), Secret::new("token".into()));
        assert_ne!(vault.seal(&PLACE, &secret), vault.seal(&PLACE, &secret));
    }

    #[test]
    fn an_older_key_opens_and_the_first_seals() {
        let old = Vault::parse("a:first secret of tern").expect("valid");
        let sealed = old.seal(&PLACE, &Secret::new("token".into()));
        let both = Vault::parse("b:second secret of tern,a:first secret of tern").expect("valid");
        assert_eq!(both.open(&PLACE, &sealed).expect("opens").expose(), "token");
        assert!(both.is_stale(&sealed));
        assert!(!both.is_stale(&both.seal(&PLACE, &Secret::new("token".into()))));
        let new = Vault::parse("b:second secret of tern").expect("valid");
        assert_eq!(new.open(&PLACE, &sealed).err(), Some(VaultError::UnknownKey));
    }

    /// Made with Node's crypto: `createCipheriv('aes-256-gcm', sha256('a secret of long ago'), Buffer.alloc(16, 7))`.
    #[test]
    fn the_older_format_opens() {
        let vault = Vault::parse("a secret of long ago").expect("valid");
        let sealed = "07070707070707070707070707070707:TAG:CIPHER";
        let sealed = sealed.replace("TAG", OLDER.0).replace("CIPHER", OLDER.1);
        assert_eq!(vault.open(&PLACE, &sealed).expect("opens").expose(), "twilio-token");
        assert!(vault.is_stale(&sealed));
        assert!(self::vault().open(&PLACE, &sealed).is_err());
    }

    #[test]
    fn short_secrets_are_refused() {
        for wrong in ["", "short", "a:short", "a:long enough for a key,b:short"] {
            assert!(Vault::parse(wrong).is_err(), "{wrong}");
        }
    }
}
