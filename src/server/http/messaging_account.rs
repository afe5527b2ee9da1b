//! Messaging accounts: what only they have. The rest is in [`super::account`].

use super::{
    account::{Kind, find, shown},
    input::Input,
    params::Id,
};
use crate::{
    domain::{
        account::{Account, ConnectForm},
        channel::{Channel, Provider},
        id::AccountId,
        secret::Secret,
    },
    server::{Who, error::Error, usecase::account},
};
use axum::{Json, http::StatusCode};
use serde_json::{Value, json};

/// SMS and WhatsApp.
pub struct Messaging;

impl Kind for Messaging {
    const LIMIT: &'static str = "daily_limit";

    fn has(channel: Channel) -> bool {
        Channel::MESSAGING.contains(&channel)
    }

    fn own(account: &Account) -> Value {
        json!({
            "channel": account.channel,
            "phone_number": account.address,
            "messages_sent_today": account.sent_today,
        })
    }
}

/// The provider's own fields.
fn credentials(input: &mut Input, provider: Option<Provider>) -> Vec<(String, Secret)> {
    let fields = provider.map_or(&[][..], Provider::fields);
    fields.iter().map(|field| (field.name.to_owned(), Secret::new(input.text(field.name)))).collect()
}

pub async fn connect(who: Who, mut input: Input) -> Result<(StatusCode, Json<Value>), Error> {
    let mut form = ConnectForm {
        provider: input.text("provider"),
        channel: input.text("channel"),
        phone_number: input.text("phone_number"),
        display_name: input.text("display_name"),
        daily_limit: input.number("daily_limit"),
        force: input.flag("force").unwrap_or(false),
        ..ConnectForm::default()
    };
    form.credentials = credentials(&mut input, form.provider());
    input.check()?;
    let account = account::connect(&who, form).await?;
    Ok((StatusCode::CREATED, Json(shown::<Messaging>(&account))))
}

pub async fn replace_credentials(who: Who, Id(id): Id<AccountId>, mut input: Input) -> Result<Json<Value>, Error> {
    let found = find::<Messaging>(&who, &id).await?;
    let entered = credentials(&mut input, Some(found.provider));
    input.refuse_others();
    input.check()?;
    Ok(Json(shown::<Messaging>(&account::replace_credentials(&who, &found.id, entered).await?)))
}
