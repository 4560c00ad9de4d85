//! Reading columns into the words of the house, and binding them. No SQL here.

use std::str::FromStr;

use domain::{Author, Caller, Failure, Finish, KeyId, Role, SessionId, Timestamp, Usage, Via};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::Error;

/// Columns by name, as domain values.
pub(crate) trait Columns {
    fn int(&self, column: &str) -> Result<i64, Error>;
    fn maybe_int(&self, column: &str) -> Result<Option<i64>, Error>;
    fn text(&self, column: &str) -> Result<String, Error>;
    fn maybe_text(&self, column: &str) -> Result<Option<String>, Error>;

    fn flag(&self, column: &str) -> Result<bool, Error> {
        Ok(self.int(column)? != 0)
    }

    fn at(&self, column: &str) -> Result<Timestamp, Error> {
        Ok(Timestamp(self.int(column)?))
    }

    fn maybe_at(&self, column: &str) -> Result<Option<Timestamp>, Error> {
        Ok(self.maybe_int(column)?.map(Timestamp))
    }

    fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, Error> {
        let value = self.int(column)?;
        T::try_from(value).map_err(|_| corrupt(column, &value.to_string()))
    }

    fn maybe_number<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>, Error> {
        let Some(value) = self.maybe_int(column)? else { return Ok(None) };
        T::try_from(value).map(Some).map_err(|_| corrupt(column, &value.to_string()))
    }

    fn id<T: FromStr>(&self, column: &str) -> Result<T, Error> {
        let text = self.text(column)?;
        text.parse().map_err(|_| corrupt(column, &text))
    }

    fn maybe_id<T: FromStr>(&self, column: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.maybe_text(column)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| corrupt(column, &text))
    }

    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, Error> {
        let text = self.text(column)?;
        serde_json::from_str(&text).map_err(|_| corrupt(column, &text))
    }

    fn maybe_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.maybe_text(column)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| corrupt(column, &text))
    }

    fn word<T>(&self, column: &str, parse: fn(&str) -> Option<T>) -> Result<T, Error> {
        let text = self.text(column)?;
        parse(&text).ok_or_else(|| corrupt(column, &text))
    }

    fn role(&self, column: &str) -> Result<Role, Error> {
        self.word(column, Role::parse)
    }

    fn author(&self, column: &str) -> Result<Author, Error> {
        self.word(column, Author::parse)
    }

    fn maybe_finish(&self, column: &str) -> Result<Option<Finish>, Error> {
        let Some(text) = self.maybe_text(column)? else { return Ok(None) };
        Finish::parse(&text).map(Some).ok_or_else(|| corrupt(column, &text))
    }

    fn maybe_failure(&self, code: &str, message: &str) -> Result<Option<Failure>, Error> {
        let Some(code) = self.maybe_text(code)? else { return Ok(None) };
        Ok(Some(Failure { code: code.into(), message: self.maybe_text(message)?.unwrap_or_default() }))
    }

    fn maybe_usage(&self, column: &str) -> Result<Option<Usage>, Error> {
        let Some(text) = self.maybe_text(column)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| corrupt(column, &text))
    }
}

impl Columns for AnyRow {
    fn int(&self, column: &str) -> Result<i64, Error> {
        Ok(self.try_get(column)?)
    }

    fn maybe_int(&self, column: &str) -> Result<Option<i64>, Error> {
        Ok(self.try_get(column)?)
    }

    fn text(&self, column: &str) -> Result<String, Error> {
        Ok(self.try_get(column)?)
    }

    fn maybe_text(&self, column: &str) -> Result<Option<String>, Error> {
        Ok(self.try_get(column)?)
    }
}

pub(crate) fn corrupt(column: &str, value: &str) -> Error {
    let shown: String = value.chars().take(64).collect();
    Error::Corrupt { what: format!("the database holds {shown:?} in column {column}, which this Portico never writes") }
}

/// The proof, as the column `via` keeps it.
pub(crate) fn via_text(via: Via) -> String {
    match via {
        Via::Session(id) => format!("session:{id}"),
        Via::Key(id) => format!("key:{id}"),
        Via::House => "house".to_owned(),
    }
}

pub(crate) fn via_parse(text: &str) -> Option<Via> {
    if text == "house" {
        return Some(Via::House);
    }
    let (kind, id) = text.split_once(':')?;
    match kind {
        "session" => id.parse().ok().map(|id: SessionId| Via::Session(id)),
        "key" => id.parse().ok().map(|id: KeyId| Via::Key(id)),
        _ => None,
    }
}

/// Text as both databases can hold it: PostgreSQL refuses U+0000 in TEXT, and one such character from a model must not make
/// a record unstorable there (or the same conversation differ between the two).
pub(crate) fn clean(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    let text = serde_json::to_string(value)
        .map_err(|error| Error::Corrupt { what: format!("a value cannot be written as JSON: {error}") })?;
    Ok(clean(text))
}

/// Tenant and person of the caller, as the columns keep them.
pub(crate) fn owner(caller: &Caller) -> (String, String) {
    (caller.tenant.to_string(), caller.person.to_string())
}

/// Bytes as TEXT: BLOB and BYTEA are not one word for both databases.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
