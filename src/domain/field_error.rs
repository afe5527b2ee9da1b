//! What is wrong with which field of an input, in words for a person.

use serde::{Deserialize, Serialize};

/// One field's fault: `field` is its name in the API and in the form, `message` a sentence without full stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Name of the field, `snake_case`.
    pub field: String,
    /// What to do about it.
    pub message: String,
}

impl FieldError {
    /// The field in words: `steps.0.template_id` is "template of step 1".
    pub fn subject(&self) -> String {
        let mut path = self.field.splitn(3, '.');
        let words = |name: &str| name.replace('_', " ");
        let parts = (path.next(), path.next().and_then(|at| at.parse::<usize>().ok()), path.next());
        match parts {
            (Some(list), Some(at), Some(name)) => {
                format!("{} of {} {}", words(name.trim_end_matches("_id")), words(list.trim_end_matches('s')), at + 1)
            }
            _ => words(&self.field),
        }
    }
}

/// Collects the faults of a whole form, so that a person sees all of them at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldErrors(pub Vec<FieldError>);

impl FieldErrors {
    /// A single fault.
    pub fn one(field: &str, message: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.add(field, message);
        errors
    }

    /// Notes a fault.
    pub fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError { field: field.to_owned(), message: message.into() });
    }

    /// Keeps the value of a good field; notes the fault of a bad one.
    pub fn check<T, E: std::fmt::Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(field, error.to_string())).ok()
    }

    /// Keeps a good value; notes all faults of a bad one.
    pub fn join<T>(&mut self, result: Result<T, Self>) -> Option<T> {
        result.map_err(|faults| self.0.extend(faults.0)).ok()
    }

    /// Moves faults to the name that a form has for the field.
    pub fn rename(&mut self, from: &str, to: &str) {
        self.0.iter_mut().filter(|error| error.field == from).for_each(|error| to.clone_into(&mut error.field));
    }

    /// Both, or the faults of both.
    pub fn both<A, B>(first: Result<A, Self>, second: Result<B, Self>) -> Result<(A, B), Self> {
        match (first, second) {
            (Ok(first), Ok(second)) => Ok((first, second)),
            (first, second) => {
                let faults = [first.err(), second.err()].into_iter().flatten().flat_map(|errors| errors.0);
                Err(Self(faults.collect()))
            }
        }
    }

    /// The message for `field`, if it has one.
    pub fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|e| e.field == field).map(|e| e.message.as_str())
    }

    /// True when nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::FieldError;

    #[test]
    fn a_field_is_said_in_words() {
        let words = [
            ("daily_limit", "daily limit"),
            ("steps.0.template_id", "template of step 1"),
            ("steps.11.delay_hours", "delay hours of step 12"),
            ("window.days", "window.days"),
        ];
        for (field, said) in words {
            let error = FieldError { field: field.to_owned(), message: String::new() };
            assert_eq!(error.subject(), said);
        }
    }
}
