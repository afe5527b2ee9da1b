//! The one-way rule and the house rules, read off the sources.
