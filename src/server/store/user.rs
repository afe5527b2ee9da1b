//! Users and organizations.

use super::{Conn, Dialect, Sql, row};
use crate::domain::{
    email::Email,
    id::{OrganizationId, UserId},
    time::Timestamp,
    user::{Me, Organization, Role, User},
};

/// Keeps others from adding a user until the transaction ends; on SQLite a write transaction is alone anyway.
const LOCK: Sql = Sql { sqlite: "select 1", postgres: "lock table app_user in share row exclusive mode" };
const COUNT: &str = "select count(*) from (select id from app_user limit 1) as one";
const INSERT_ORGANIZATION: &str = "insert into organization (id, name, created_at) values ($1, $2, $3)";
/// Of the whole installation: for its operator.
const ORGANIZATIONS: &str = "select id, name from organization order by id";
const FIND_ORGANIZATION: &str = "select id, name from organization where id = $1";
const INSERT: &str = "insert into app_user (id, email, password_hash, role, organization_id, created_at) \
     values ($1, $2, $3, $4, $5, $6) on conflict (email) do nothing returning id";
const FIND: &str = "select u.id, u.email, u.role, u.organization_id, o.name as organization_name, u.password_hash \
     from app_user u left join organization o on o.id = u.organization_id where u.email = $1";
const LOAD: &str = "select u.id, u.email, u.role, u.organization_id, o.name as organization_name, u.password_hash \
     from app_user u left join organization o on o.id = u.organization_id where u.id = $1";
const SET_PASSWORD: &str = "update app_user set password_hash = $2 where id = $1";

/// For the prepare test.
pub const STATEMENTS: &[&str] =
    &[COUNT, INSERT_ORGANIZATION, ORGANIZATIONS, FIND_ORGANIZATION, INSERT, FIND, LOAD, SET_PASSWORD];
/// For the prepare test, too.
pub const DUAL: &[Sql] = &[LOCK];

#[derive(sqlx::FromRow)]
struct UserRow {
    id: String,
    email: String,
    role: String,
    organization_id: Option<String>,
    organization_name: Option<String>,
    password_hash: String,
}

impl UserRow {
    fn read(self) -> sqlx::Result<(Me, String)> {
        let organization = match (self.organization_id, self.organization_name) {
            (Some(id), Some(name)) => Some(Organization { id: row::id("organization_id", id)?, name }),
            _ => None,
        };
        let email = row::value("email", &self.email, |text| Email::parse(text).ok())?;
        let role = row::value("role", &self.role, Role::from_name)?;
        Ok((Me { user: User { id: row::id("id", self.id)?, email, role }, organization }, self.password_hash))
    }
}

/// Nobody else adds a user until the transaction ends.
pub async fn lock(conn: &mut Conn, dialect: Dialect) -> sqlx::Result<()> {
    sqlx::query(LOCK.of(dialect)).execute(conn).await.map(drop)
}

/// One organization.
pub async fn find_organization(conn: &mut Conn, id: &OrganizationId) -> sqlx::Result<Option<Organization>> {
    let found: Option<(String, String)> =
        sqlx::query_as(FIND_ORGANIZATION).bind(id.as_str()).fetch_optional(conn).await?;
    found.map(|(id, name)| Ok(Organization { id: row::id("id", id)?, name })).transpose()
}

/// True when the installation has no user yet.
pub async fn is_empty(conn: &mut Conn) -> sqlx::Result<bool> {
    Ok(sqlx::query_scalar::<_, i64>(COUNT).fetch_one(conn).await? == 0)
}

/// All organizations: for the operator of the installation.
pub async fn list_organizations(conn: &mut Conn) -> sqlx::Result<Vec<Organization>> {
    let rows: Vec<(String, String)> = sqlx::query_as(ORGANIZATIONS).fetch_all(conn).await?;
    rows.into_iter().map(|(id, name)| Ok(Organization { id: row::id("id", id)?, name })).collect()
}

/// Stores an organization.
pub async fn insert_organization(conn: &mut Conn, organization: &Organization, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(INSERT_ORGANIZATION)
        .bind(organization.id.as_str())
        .bind(&organization.name)
        .bind(now.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Stores a user; false when the address is taken.
pub async fn insert(
    conn: &mut Conn,
    user: &User,
    organization: Option<&OrganizationId>,
    password_hash: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let stored = sqlx::query(INSERT)
        .bind(user.id.as_str())
        .bind(user.email.as_str())
        .bind(password_hash)
        .bind(user.role.as_str())
        .bind(organization.map(OrganizationId::as_str))
        .bind(now.0)
        .fetch_all(conn)
        .await?;
    Ok(!stored.is_empty())
}

/// The user of an address, with the password hash.
pub async fn find(conn: &mut Conn, email: &Email) -> sqlx::Result<Option<(Me, String)>> {
    sqlx::query_as::<_, UserRow>(FIND).bind(email.as_str()).fetch_optional(conn).await?.map(UserRow::read).transpose()
}

/// The user of an id.
pub async fn find_by_id(conn: &mut Conn, id: &UserId) -> sqlx::Result<Option<Me>> {
    let found = sqlx::query_as::<_, UserRow>(LOAD).bind(id.as_str()).fetch_optional(conn).await?;
    Ok(found.map(UserRow::read).transpose()?.map(|(me, _)| me))
}

/// Replaces the password hash.
pub async fn set_password(conn: &mut Conn, id: &UserId, password_hash: &str) -> sqlx::Result<()> {
    sqlx::query(SET_PASSWORD).bind(id.as_str()).bind(password_hash).execute(conn).await.map(drop)
}
