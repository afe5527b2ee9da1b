//! People and the organization they work for.

use super::{
    email::Email,
    id::{OrganizationId, UserId},
};
use serde::{Deserialize, Serialize};

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, also the organization itself.
    Owner,
    /// Works with accounts and messages.
    Member,
}

impl Role {
    /// The name in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Member => "member",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Owner, Self::Member].into_iter().find(|role| role.as_str() == name)
    }
}

/// A person who signs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Identifier.
    pub id: UserId,
    /// Signs in with it.
    pub email: Email,
    /// What the user may do in the organization.
    pub role: Role,
}

/// The tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Identifier.
    pub id: OrganizationId,
    /// As the owner wrote it.
    pub name: String,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// The person.
    pub user: User,
    /// `None` for somebody who belongs to none yet.
    pub organization: Option<Organization>,
}

/// Why a password was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Below the minimum of NIST SP 800-63B and ASVS 6.2.1.
    #[error("must be at least 8 characters")]
    TooShort,
    /// A bound against hashing megabytes.
    #[error("must be at most 1000 characters")]
    TooLong,
    /// Among the first that anybody tries.
    #[error("is among the most common passwords; choose another")]
    Common,
    /// Can be guessed from the address.
    #[error("must not be your e-mail address")]
    IsEmail,
}

/// The heads of every published list of leaked passwords that are at least eight characters long.
const COMMON: [&str; 32] = [
    "password",
    "password1",
    "password12",
    "password123",
    "passw0rd",
    "p@ssw0rd",
    "12345678",
    "123456789",
    "1234567890",
    "0987654321",
    "11111111",
    "00000000",
    "87654321",
    "88888888",
    "qwertyui",
    "qwertyuiop",
    "qwerty123",
    "1q2w3e4r",
    "1qaz2wsx",
    "q1w2e3r4",
    "abcd1234",
    "abc12345",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "trustno1",
    "letmein1",
    "welcome1",
    "changeme",
];

/// Length decides, not composition (ASVS 6.2): at least 8 characters, none of the usual ones, not the address itself.
pub fn check_password(password: &str, email: &str) -> Result<(), WeakPassword> {
    let lower = password.to_lowercase();
    match password.chars().count() {
        0..8 => Err(WeakPassword::TooShort),
        1001.. => Err(WeakPassword::TooLong),
        _ if COMMON.contains(&lower.as_str()) => Err(WeakPassword::Common),
        _ if lower == email.trim().to_lowercase() => Err(WeakPassword::IsEmail),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_decides_not_composition() {
        assert_eq!(check_password("correct horse", "ann@example.com"), Ok(()));
        assert_eq!(check_password("1234567", "ann@example.com"), Err(WeakPassword::TooShort));
        assert_eq!(check_password("PassWord123", "ann@example.com"), Err(WeakPassword::Common));
        assert_eq!(check_password("Ann@Example.com", "ann@example.com"), Err(WeakPassword::IsEmail));
        assert_eq!(check_password(&"x".repeat(1001), "ann@example.com"), Err(WeakPassword::TooLong));
    }
}
