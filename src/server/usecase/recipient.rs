//! Whom a message is for: an address, or a lead by the address that it has for the channel.

use crate::{
    domain::{
        channel::Channel,
        field_error::FieldErrors,
        id::LeadId,
        message::{NewMessage, SendForm},
    },
    server::{
        Who,
        error::Error,
        store::{self, Conn},
    },
};

/// Puts the address of the lead into a form that names one and no recipient.
pub async fn address(conn: &mut Conn, who: &Who, form: &mut SendForm) -> Result<(), Error> {
    if form.lead_id.trim().is_empty() {
        return Ok(());
    }
    let not_found = || Error::missing("Lead not found");
    let id: LeadId = form.lead_id.trim().parse().map_err(|_| not_found())?;
    let found = store::lead::find(conn, who.app.db.dialect, &id, &who.organization.id).await?;
    let lead = found.ok_or_else(not_found)?;
    // Without a channel nothing is sent, and the form's own faults say so.
    let Some(channel) = Channel::from_name(form.channel.trim()) else { return Ok(()) };
    if form.to.trim().is_empty() {
        let no_contact = || {
            let message = format!("No {} contact for lead", channel.as_str());
            Error::invalid_as(&message, FieldErrors::one("lead_id", "has no address for this channel"))
        };
        lead.address(channel).ok_or_else(no_contact)?.clone_into(&mut form.to);
    }
    Ok(())
}

/// The lead that a message belongs to: the one that was named, or whoever has the address.
pub async fn lead(conn: &mut Conn, who: &Who, new: &NewMessage) -> sqlx::Result<Option<LeadId>> {
    match &new.lead_id {
        Some(lead) => Ok(Some(lead.clone())),
        None => store::lead::find_by_address(conn, &who.organization.id, new.channel, new.to.as_str()).await,
    }
}
