//! What every list of the OpenAI dialect has in common: how many, from which end, and the frame around the entries.

use serde_json::{Value, json};

use crate::Problem;

/// How many entries are wanted: `usual` where nobody says, never more than `most`.
pub(crate) fn limit(asked: Option<u32>, usual: u32, most: u32) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(usual);
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::wrong("limit", format!("limit: must be a whole number from 1 to {most}")))
}

/// Whether the newest comes first, as it does where nobody says.
pub(crate) fn newest_first(order: Option<&str>) -> Result<bool, Problem> {
    match order {
        None | Some("desc") => Ok(true),
        Some("asc") => Ok(false),
        Some(_) => Err(Problem::wrong("order", "order: must be asc or desc")),
    }
}

/// The entries in their frame, with the ids to go on from.
pub(crate) fn framed(data: &[Value], more: bool) -> Value {
    let id = |entry: Option<&Value>| entry.map(|entry| entry["id"].clone());
    json!({ "object": "list", "first_id": id(data.first()), "last_id": id(data.last()), "has_more": more, "data": data })
}
