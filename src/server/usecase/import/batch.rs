//! What becomes of some rows, given whom their addresses belong to: decided in memory, row after row, as if each came alone.

use super::row::{Entry, Fault, Person, Plan};
use crate::{
    domain::{
        email::Email,
        id::LeadId,
        import::{Counts, OnDuplicate},
        lead::{CUSTOM_MAX, NewLead, TAGS_MAX, Way},
        phone::PhoneNumber,
    },
    server::store::import_lead::{Known, Written},
};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Somebody whom the rows mean.
#[derive(Debug)]
pub struct Touched {
    /// What is known of them after the rows.
    pub known: Known,
    /// What the rows say; nothing when they were only recognised.
    pub change: Option<Person>,
    /// Tags that they have not had.
    pub new_tags: Vec<String>,
}

impl Touched {
    /// As the store writes it.
    pub fn written(&self) -> Option<Written<'_>> {
        let change = self.change.as_ref()?;
        let lead = &change.lead;
        Some(Written {
            id: self.known.id.as_str(),
            name: Some(&lead.name).filter(|text| !text.is_empty()).map(String::as_str),
            company: lead.company.as_deref(),
            email: lead.email.as_ref().map(Email::as_str),
            phone: lead.phone.as_ref().map(|number| number.given.as_str()),
            phone_number: lead.phone.as_ref().map(|number| number.dialled.as_str()),
            phone_key: change.phone_key.as_deref(),
            whatsapp: lead.whatsapp.as_ref().map(|number| number.given.as_str()),
            whatsapp_number: lead.whatsapp.as_ref().map(|number| number.dialled.as_str()),
            whatsapp_key: change.whatsapp_key.as_deref(),
            time_zone: lead.time_zone.as_deref(),
            custom: Some(&lead.custom).filter(|custom| !custom.is_empty()),
            notes: Some(&lead.notes).filter(|text| !text.is_empty()).map(String::as_str),
        })
    }
}

/// What became of rows.
#[derive(Debug, Default)]
pub struct Settled {
    /// Everybody whom they mean.
    pub people: Vec<Touched>,
    /// Which rows were rejected, and why.
    pub rejects: Vec<(usize, Fault)>,
    /// How many became what.
    pub counts: Counts,
    /// How many were looked at: the next ones must wait until these are written.
    pub taken: usize,
}

/// People by their addresses.
struct Owners {
    people: Vec<Touched>,
    of: HashMap<String, usize>,
    /// Addresses that somebody gave up here. Whoever takes one must wait until that is written.
    freed: HashSet<String>,
}

impl Owners {
    fn new(known: Vec<Known>) -> Self {
        let mut owners = Self { people: Vec::new(), of: HashMap::new(), freed: HashSet::new() };
        for known in known {
            owners.add(Touched { known, change: None, new_tags: Vec::new() });
        }
        owners
    }

    fn add(&mut self, touched: Touched) {
        let at = self.people.len();
        let known = &touched.known;
        for key in [&known.email, &known.phone_key, &known.whatsapp_key].into_iter().flatten() {
            self.of.insert(key.clone(), at);
        }
        self.people.push(touched);
    }

    /// The person at `at` has another address of a kind now.
    fn change(&mut self, at: usize, kind: fn(&mut Known) -> &mut Option<String>, new: Option<&str>) {
        let Some(new) = new else { return };
        let known = &mut self.people[at].known;
        let old = kind(known).replace(new.to_owned());
        let still = [&known.email, &known.phone_key, &known.whatsapp_key];
        if let Some(old) = old
            && !still.into_iter().flatten().any(|key| *key == old)
        {
            self.of.remove(&old);
            self.freed.insert(old);
        }
        self.of.insert(new.to_owned(), at);
    }
}

/// Decides. `known` are the leads that any of the rows' addresses belongs to.
pub fn settle(entries: &[Entry], known: Vec<Known>, plan: &Plan, mut new_id: impl FnMut() -> LeadId) -> Settled {
    let mut owners = Owners::new(known);
    let (mut counts, mut rejects) = (Counts::default(), Vec::new());
    let mut taken = entries.len();
    for (at, entry) in entries.iter().enumerate() {
        let person = match &entry.person {
            Ok(person) => person,
            Err(fault) => {
                counts.failed += 1;
                rejects.push((at, fault.clone()));
                continue;
            }
        };
        if !owners.freed.is_empty() && person.keys().any(|key| owners.freed.contains(key)) {
            taken = at;
            break;
        }
        let who: BTreeSet<usize> = person.keys().filter_map(|key| owners.of.get(key).copied()).collect();
        let who: Vec<usize> = who.into_iter().collect();
        match who[..] {
            [] => {
                counts.created += 1;
                owners.add(new_person(new_id(), person));
            }
            [_] if plan.on_duplicate == OnDuplicate::Skip => counts.skipped += 1,
            [one] => {
                if let Some((field, reason)) = overfull(&owners.people[one], &person.lead) {
                    counts.failed += 1;
                    rejects.push((at, Fault { column: plan.column_of(field), reason }));
                } else {
                    counts.updated += 1;
                    owners.change(one, |known| &mut known.email, person.lead.email.as_ref().map(Email::as_str));
                    owners.change(one, |known| &mut known.phone_key, person.phone_key.as_deref());
                    owners.change(one, |known| &mut known.whatsapp_key, person.whatsapp_key.as_deref());
                    join(&mut owners.people[one], person);
                }
            }
            _ => {
                counts.failed += 1;
                let reason = "has addresses of two different leads; merge them first, or correct the row".to_owned();
                rejects.push((at, Fault { column: String::new(), reason }));
            }
        }
    }
    Settled { people: owners.people, rejects, counts, taken }
}

fn new_person(id: LeadId, person: &Person) -> Touched {
    let lead = &person.lead;
    let known = Known {
        id,
        email: lead.email.as_ref().map(|email| email.as_str().to_owned()),
        phone_key: person.phone_key.clone(),
        whatsapp_key: person.whatsapp_key.clone(),
        custom: lead.custom.clone(),
        tags: lead.tags.iter().cloned().collect(),
    };
    Touched { new_tags: known.tags.clone(), known, change: Some(person.clone()) }
}

/// Whether a lead would have more than a lead may.
fn overfull(touched: &Touched, lead: &NewLead) -> Option<(&'static str, String)> {
    let known = &touched.known;
    let fields = known.custom.len() + lead.custom.keys().filter(|key| !known.custom.contains_key(*key)).count();
    let tags = known.tags.len() + lead.tags.iter().filter(|tag| !known.tags.contains(tag)).count();
    if fields > CUSTOM_MAX {
        Some(("custom", format!("the lead would have more than {CUSTOM_MAX} custom fields")))
    } else if tags > TAGS_MAX {
        Some(("tags", format!("the lead would have more than {TAGS_MAX} tags")))
    } else {
        None
    }
}

/// What a row says overwrites; what it is silent about stays.
fn join(touched: &mut Touched, person: &Person) {
    let new: Vec<String> = person.lead.tags.iter().filter(|tag| !touched.known.tags.contains(tag)).cloned().collect();
    touched.known.tags.extend(new.iter().cloned());
    touched.new_tags.extend(new);
    touched.known.custom.extend(person.lead.custom.clone());
    let Some(change) = &mut touched.change else {
        touched.change = Some(person.clone());
        return;
    };
    let (to, from) = (&mut change.lead, person.lead.clone());
    if !from.name.is_empty() {
        to.name = from.name;
    }
    if !from.notes.is_empty() {
        to.notes = from.notes;
    }
    to.company = from.company.or(to.company.take());
    to.email = from.email.or(to.email.take());
    to.phone = from.phone.or(to.phone.take());
    to.whatsapp = from.whatsapp.or(to.whatsapp.take());
    to.time_zone = from.time_zone.or(to.time_zone.take());
    to.custom.extend(from.custom);
    change.phone_key = person.phone_key.clone().or(change.phone_key.take());
    change.whatsapp_key = person.whatsapp_key.clone().or(change.whatsapp_key.take());
}

/// What consent and the like need to know of a lead that was written: the addresses that the rows themselves said.
#[derive(Debug, Clone, Copy)]
pub struct WrittenLead<'a> {
    /// Whose.
    pub id: &'a LeadId,
    /// E-mail.
    pub email: Option<&'a Email>,
    /// SMS.
    pub phone: Option<&'a PhoneNumber>,
    /// WhatsApp, where it is another number.
    pub whatsapp: Option<&'a PhoneNumber>,
}

impl WrittenLead<'_> {
    /// Every address, by every channel that it serves.
    pub fn ways(&self) -> Vec<Way> {
        Way::of(self.email.map(Email::as_str), [self.phone, self.whatsapp])
    }
}

impl Settled {
    /// Tags to add, each as (tag, lead).
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.people
            .iter()
            .flat_map(|touched| touched.new_tags.iter().map(|tag| (tag.as_str(), touched.known.id.as_str())))
    }

    /// The leads that were written.
    pub fn written(&self) -> Vec<WrittenLead<'_>> {
        self.people
            .iter()
            .filter_map(|touched| {
                let lead = &touched.change.as_ref()?.lead;
                Some(WrittenLead {
                    id: &touched.known.id,
                    email: lead.email.as_ref(),
                    phone: lead.phone.as_ref().map(|number| &number.dialled),
                    whatsapp: lead.whatsapp.as_ref().map(|number| &number.dialled),
                })
            })
            .collect()
    }
}
