//! What an organization asks of all that it sends by plan.

use crate::{
    domain::rules::Rules,
    server::{Who, bucket::is_zone, error::Error, live::Topic, schedule::day, store},
};

/// The rules of the organization.
pub async fn load(who: &Who) -> Result<Rules, Error> {
    Ok(store::rules::find(&mut *who.app.db.read().await?, &who.organization.id).await?)
}

/// Stores other rules: `change` is told those of before.
pub async fn update(who: &Who, change: impl FnOnce(Rules) -> Result<Rules, Error>) -> Result<Rules, Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    let rules = app
        .db
        .write(async |conn| {
            let rules = change(store::rules::find(conn, organization).await?)?;
            let rules = rules.parse(is_zone, |text| day(text).is_some())?;
            store::rules::save(conn, organization, &rules).await?;
            Ok::<_, Error>(rules)
        })
        .await?;
    app.live.publish(organization, Topic::Sequences, None);
    Ok(rules)
}
