//! How answers of server functions travel: as JSON, read as text.
//!
//! Leptos reads what came with the page as text, and its own JSON codec reads answers as bytes. Reading both the same way
//! halves the code that reads.

use leptos::server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType, codec::Post};
use serde::{Serialize, de::DeserializeOwned};

/// JSON as text.
pub struct JsonText;

/// The codec to name at a server function: `#[server(output = Json)]`.
pub type Json = Post<JsonText>;

impl ContentType for JsonText {
    const CONTENT_TYPE: &'static str = "application/json";
}

impl FormatType for JsonText {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for JsonText {
    type Error = serde_json::Error;

    fn encode(value: &T) -> Result<Bytes, serde_json::Error> {
        serde_json::to_vec(value).map(Bytes::from)
    }
}

impl<T: DeserializeOwned> Decodes<T> for JsonText {
    type Error = serde_json::Error;

    fn decode(bytes: Bytes) -> Result<T, serde_json::Error> {
        // What is not UTF-8 is no JSON either; the reader says so.
        serde_json::from_str(std::str::from_utf8(&bytes).unwrap_or_default())
    }
}
