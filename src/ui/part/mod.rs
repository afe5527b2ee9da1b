//! What pages share: small components on native HTML, so that a page reads as a page.
