//! What the columns of a file mean: guessed by their names in several languages, else by what is in them.

use super::COLUMNS_MAX;
use crate::domain::{email::Email, field_error::FieldErrors, lead::parse_key};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a column says of a lead.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Field {
    /// Nothing that is kept.
    Ignore,
    /// The whole name.
    Name,
    /// The first half of it.
    FirstName,
    /// The second half of it.
    LastName,
    /// See `Lead`.
    Company,
    /// See `Lead`.
    Email,
    /// See `Lead`.
    Phone,
    /// See `Lead`.
    Whatsapp,
    /// See `Lead`.
    TimeZone,
    /// With commas or semicolons between them.
    Tags,
    /// See `Lead`.
    Notes,
    /// A custom field of this name.
    Custom(String),
}

/// Fields that every lead has, with what a person calls them.
pub const FIELDS: [(Field, &str); 11] = [
    (Field::Ignore, "Leave out"),
    (Field::Name, "Name"),
    (Field::FirstName, "First name"),
    (Field::LastName, "Last name"),
    (Field::Company, "Company"),
    (Field::Email, "E-mail"),
    (Field::Phone, "Phone"),
    (Field::Whatsapp, "WhatsApp"),
    (Field::TimeZone, "Time zone"),
    (Field::Tags, "Tags"),
    (Field::Notes, "Notes"),
];

impl Field {
    /// The name in the API; `custom.` and a name for custom fields.
    pub fn as_text(&self) -> String {
        let name = match self {
            Self::Ignore => "ignore",
            Self::Name => "name",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Company => "company",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Whatsapp => "whatsapp",
            Self::TimeZone => "time_zone",
            Self::Tags => "tags",
            Self::Notes => "notes",
            Self::Custom(key) => return format!("custom.{key}"),
        };
        name.to_owned()
    }

    /// Reads the name; nothing is `ignore`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::Ignore);
        }
        if let Some(key) = text.strip_prefix("custom.") {
            return parse_key(key).map(Self::Custom).map_err(|why| format!("{text} {why}"));
        }
        let known = FIELDS.into_iter().map(|(field, _)| field).find(|field| field.as_text() == text);
        known.ok_or_else(|| format!("{text:.60} is no field of a lead"))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_text())
    }
}

impl TryFrom<String> for Field {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Field> for String {
    fn from(field: Field) -> Self {
        field.as_text()
    }
}

/// Checks a mapping: each field once, and a way to reach people among them.
pub fn check(mapping: &[Field]) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    let mut seen = std::collections::BTreeSet::new();
    for field in mapping.iter().filter(|field| **field != Field::Ignore) {
        if !seen.insert(field) {
            errors.add("mapping", format!("two columns are {field}; leave one of them out"));
        }
    }
    let reaches = [Field::Email, Field::Phone, Field::Whatsapp];
    if !reaches.iter().any(|field| seen.contains(field)) {
        errors.add("mapping", "needs a column with the e-mail address, the phone or the WhatsApp number");
    }
    if mapping.len() > COLUMNS_MAX {
        errors.add("mapping", format!("must be at most {COLUMNS_MAX} columns"));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Names of columns in the languages of many address books, in the form of [`bare`].
const NAMES: [(Field, &[&str]); 10] = [
    (
        Field::Email,
        &[
            "email",
            "emailaddress",
            "mail",
            "mailaddress",
            "emailadresse",
            "mailadresse",
            "adresseemail",
            "courriel",
            "adressemail",
            "correo",
            "correoelectronico",
            "direcciondecorreo",
            "indirizzoemail",
            "postaelettronica",
            "enderecodeemail",
            "emailadres",
            "adresemail",
            "eposta",
            "epost",
            "epostadress",
            "sahkoposti",
            "электроннаяпочта",
            "почта",
            "емейл",
            "メール",
            "メールアドレス",
            "电子邮件",
            "邮箱",
            "email1value",
            "primaryemail",
            "workemail",
            "emailaddress1",
        ],
    ),
    (
        Field::Phone,
        &[
            "phone",
            "phonenumber",
            "mobile",
            "mobilephone",
            "mobilenumber",
            "cell",
            "cellphone",
            "tel",
            "telephone",
            "telephonenumber",
            "telefon",
            "telefonnummer",
            "handy",
            "handynummer",
            "mobil",
            "mobiltelefon",
            "mobilnummer",
            "rufnummer",
            "téléphone",
            "portable",
            "mobilephonenumber",
            "numerodetelephone",
            "telefono",
            "movil",
            "celular",
            "cellulare",
            "telemovel",
            "telefone",
            "telefoon",
            "telefoonnummer",
            "gsm",
            "numertelefonu",
            "telefonkomorkowy",
            "cep",
            "ceptelefonu",
            "puhelin",
            "телефон",
            "номертелефона",
            "電話",
            "電話番号",
            "携帯電話",
            "电话",
            "手机",
            "手机号",
            "phone1value",
            "sms",
        ],
    ),
    (Field::Whatsapp, &["whatsapp", "whatsappnumber", "whatsappnummer", "numerowhatsapp", "wa", "ватсап"]),
    (
        Field::FirstName,
        &[
            "firstname",
            "givenname",
            "forename",
            "vorname",
            "prenom",
            "nombre1",
            "primernombre",
            "nombredepila",
            "primeironome",
            "voornaam",
            "imie",
            "fornavn",
            "fornamn",
            "jmeno",
            "имя",
            "名",
            "名字",
            "first",
        ],
    ),
    (
        Field::LastName,
        &[
            "lastname",
            "surname",
            "familyname",
            "nachname",
            "familienname",
            "nomdefamille",
            "apellido",
            "apellidos",
            "cognome",
            "sobrenome",
            "apelido",
            "achternaam",
            "nazwisko",
            "etternavn",
            "efternavn",
            "efternamn",
            "prijmeni",
            "soyad",
            "soyadi",
            "фамилия",
            "姓",
            "last",
        ],
    ),
    (
        Field::Name,
        &[
            "name",
            "fullname",
            "contact",
            "contactname",
            "displayname",
            "person",
            "kontakt",
            "ansprechpartner",
            "nom",
            "nomcomplet",
            "nombre",
            "nombrecompleto",
            "nome",
            "nomecompleto",
            "naam",
            "imieinazwisko",
            "navn",
            "namn",
            "nimi",
            "isim",
            "adsoyad",
            "фио",
            "氏名",
            "名前",
            "お名前",
            "姓名",
            "lead",
            "leadname",
        ],
    ),
    (
        Field::Company,
        &[
            "company",
            "companyname",
            "organization",
            "organisation",
            "organizationname",
            "account",
            "accountname",
            "employer",
            "business",
            "firma",
            "unternehmen",
            "firmenname",
            "betrieb",
            "societe",
            "entreprise",
            "empresa",
            "compania",
            "azienda",
            "societa",
            "bedrijf",
            "bedrijfsnaam",
            "nazwafirmy",
            "virksomhed",
            "foretag",
            "yritys",
            "sirket",
            "spolecnost",
            "компания",
            "организация",
            "会社",
            "会社名",
            "公司",
            "公司名称",
            "organization1name",
        ],
    ),
    (
        Field::TimeZone,
        &["timezone", "tz", "zeitzone", "fuseauhoraire", "zonahoraria", "fusoorario", "tijdzone", "часовойпояс"],
    ),
    (
        Field::Tags,
        &[
            "tags",
            "tag",
            "labels",
            "label",
            "groups",
            "group",
            "groupmembership",
            "schlagworte",
            "etiquetas",
            "etiquettes",
            "теги",
        ],
    ),
    (
        Field::Notes,
        &[
            "notes",
            "note",
            "comment",
            "comments",
            "remarks",
            "notizen",
            "notiz",
            "bemerkung",
            "bemerkungen",
            "kommentar",
            "remarques",
            "commentaires",
            "notas",
            "comentarios",
            "osservazioni",
            "opmerkingen",
            "uwagi",
            "заметки",
            "комментарий",
            "備考",
            "备注",
        ],
    ),
];

/// A name without case, accents and everything that is neither letter nor digit.
fn bare(name: &str) -> String {
    let plain = |c: char| match c {
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ä' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' => 'e',
        'ì' | 'í' | 'î' | 'ï' | 'ı' => 'i',
        'ñ' | 'ń' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'ś' | 'š' | 'ş' => 's',
        'ù' | 'ú' | 'û' | 'ü' | 'ů' => 'u',
        'ý' => 'y',
        'ř' => 'r',
        'ž' | 'ź' | 'ż' => 'z',
        'ł' => 'l',
        c => c,
    };
    name.to_lowercase().replace('ß', "ss").chars().map(plain).filter(|c| c.is_alphanumeric()).collect()
}

fn by_name(name: &str) -> Option<Field> {
    let bare = bare(name);
    if let Some(key) = name.trim().strip_prefix("custom.") {
        return parse_key(key).ok().map(Field::Custom);
    }
    NAMES.into_iter().find(|(_, names)| names.contains(&bare.as_str())).map(|(field, _)| field)
}

/// What most of the filled cells look like.
fn by_content<'a>(cells: impl Iterator<Item = &'a str>) -> Option<Field> {
    let (mut filled, mut emails, mut numbers) = (0, 0, 0);
    for cell in cells.map(str::trim).filter(|cell| !cell.is_empty()) {
        filled += 1;
        emails += usize::from(Email::parse(cell).is_ok());
        numbers += usize::from(is_like_a_number(cell));
    }
    let is_most = |count: usize| count > 0 && count * 3 >= filled * 2;
    if is_most(emails) {
        Some(Field::Email)
    } else if is_most(numbers) {
        Some(Field::Phone)
    } else {
        None
    }
}

/// Digits as in phone numbers; dates and amounts have fewer, or other signs.
fn is_like_a_number(cell: &str) -> bool {
    let cell = cell.trim_start_matches('\'');
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    let is_spelt =
        cell.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}'));
    is_spelt && (9..=17).contains(&digits)
}

/// Whether the first row names the columns: it has no address and no number in it.
pub fn has_header(first: &[String]) -> bool {
    let is_data = |cell: &String| Email::parse(cell).is_ok() || is_like_a_number(cell);
    first.iter().any(|cell| by_name(cell).is_some()) || !first.iter().any(is_data)
}

/// Guesses every column: by its name, else by what is in it; what is left becomes a custom field of its name, so that nothing
/// of a file is lost unasked.
pub fn guess(names: &[String], sample: &[Vec<String>], has_header: bool) -> Vec<Field> {
    let mut mapping = vec![Field::Ignore; names.len()];
    // What our own files say beside the leads.
    let ours = if names.iter().take(3).eq(["line", "column", "reason"]) { 3 } else { 0 };
    let is_left_out = |at: usize| has_header && (at < ours || names[at] == "created_at");
    let free = |mapping: &[Field], field: &Field| !mapping.contains(field);
    if has_header {
        for (at, name) in names.iter().enumerate() {
            if let Some(field) = by_name(name).filter(|field| free(&mapping, field)) {
                mapping[at] = field;
            }
        }
    }
    for at in (0..names.len()).filter(|at| !is_left_out(*at)) {
        if mapping[at] == Field::Ignore {
            let cells = sample.iter().filter_map(|row| row.get(at)).map(String::as_str);
            if let Some(field) = by_content(cells).filter(|field| free(&mapping, field)) {
                mapping[at] = field;
            }
        }
    }
    if has_header {
        for (at, name) in names.iter().enumerate() {
            if mapping[at] == Field::Ignore
                && !is_left_out(at)
                && let Ok(key) = parse_key(&bare_key(name))
                && free(&mapping, &Field::Custom(key.clone()))
            {
                mapping[at] = Field::Custom(key);
            }
        }
    }
    mapping
}

/// The custom field that a column would become by its own name.
pub fn custom_key(name: &str) -> Option<String> {
    let name = name.trim();
    parse_key(name.strip_prefix("custom.").unwrap_or(&bare_key(name))).ok()
}

/// The name of a custom field that a column's name comes to.
fn bare_key(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).map(bare).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(row: &[&str]) -> Vec<String> {
        row.iter().map(|&text| text.to_owned()).collect()
    }

    fn guessed(names: &[&str], rows: &[&[&str]]) -> Vec<String> {
        let sample: Vec<Vec<String>> = rows.iter().map(|row| texts(row)).collect();
        guess(&texts(names), &sample, true).iter().map(Field::as_text).collect()
    }

    #[test]
    fn columns_are_known_in_several_languages() {
        for (names, fields) in [
            (&["Full Name", "E-Mail Address", "Mobile Phone"][..], &["name", "email", "phone"][..]),
            (
                &["Vorname", "Nachname", "Firma", "E-Mail", "Größe"],
                &["first_name", "last_name", "company", "email", "custom.grosse"],
            ),
            (
                &["Prénom", "Nom de famille", "Société", "Courriel", "Téléphone"],
                &["first_name", "last_name", "company", "email", "phone"],
            ),
            (&["Nombre", "Correo electrónico", "Teléfono"], &["name", "email", "phone"]),
            (&["氏名", "メールアドレス", "電話番号"], &["name", "email", "phone"]),
            (&["ФИО", "Почта", "Телефон", "WhatsApp"], &["name", "email", "phone", "whatsapp"]),
            (
                &["name", "company", "email", "phone", "whatsapp", "time_zone", "tags", "notes", "custom.plan"],
                &["name", "company", "email", "phone", "whatsapp", "time_zone", "tags", "notes", "custom.plan"],
            ),
        ] {
            assert_eq!(guessed(names, &[]), fields);
        }
    }

    #[test]
    fn what_no_name_says_the_cells_say() {
        let rows: &[&[&str]] =
            &[&["Kim", "kim@example.com", "+1 415 555 2671", "pro"], &["Lee", "", "0151 23456789", ""]];
        assert_eq!(guessed(&["A", "B", "C", "Plan"], rows), ["custom.a", "email", "phone", "custom.plan"]);
        // A field is one column's; the second phone is kept beside it.
        assert_eq!(guessed(&["Phone", "Phone 2"], &[&["+14155552671", "+14155552672"]]), ["phone", "custom.phone_2"]);
        let headless = guess(&texts(&["Column 1", "Column 2"]), &[texts(&["kim@example.com", "Kim"])], false);
        assert_eq!(headless, [Field::Email, Field::Ignore]);
    }

    #[test]
    fn a_first_row_of_data_is_no_header() {
        assert!(has_header(&texts(&["Name", "Mail"])) && has_header(&texts(&["a", "b"])));
        assert!(!has_header(&texts(&["Kim", "kim@example.com"])) && !has_header(&texts(&["Kim", "+1 415 555 2671"])));
    }

    #[test]
    fn a_mapping_reaches_people_and_names_each_field_once() {
        assert!(check(&[Field::Name, Field::Email, Field::Ignore, Field::Ignore]).is_ok());
        for bad in [&[Field::Name][..], &[Field::Email, Field::Email], &[]] {
            assert!(check(bad).expect_err("no mapping").of("mapping").is_some());
        }
        assert_eq!(Field::parse("custom.Plan"), Ok(Field::Custom("plan".to_owned())));
        assert!(Field::parse("password").is_err() && Field::parse("custom.1").is_err());
        for (field, _) in FIELDS {
            assert_eq!(Field::parse(&field.as_text()), Ok(field));
        }
    }
}
