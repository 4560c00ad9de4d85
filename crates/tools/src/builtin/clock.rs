//! What time it is, in any IANA time zone. The zones are inside the binary, for machines that have none.

use std::sync::Arc;

use domain::{Clock, ToolError, ToolSpec};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

pub(super) fn spec() -> ToolSpec {
    ToolSpec {
        name: "clock".to_owned(),
        description: "The current date, time and weekday in a time zone; or a given moment in that zone.".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {
                "timezone": { "type": "string", "description": "IANA name such as Asia/Shanghai; UTC where absent" },
                "at": { "type": "string", "description": "A moment in RFC 3339 with its offset, such as 2026-03-01T09:30:00+08:00; now where absent" }
            },
            "additionalProperties": false
        }),
    }
}

pub(super) fn call(clock: &Arc<dyn Clock>, arguments: &Value) -> Result<String, ToolError> {
    let wrong = |field: &str, reason: String| ToolError::Invalid { field: field.to_owned(), reason };
    let name = arguments["timezone"].as_str().unwrap_or("UTC");
    let zone = TimeZone::get(name).map_err(|_| wrong("timezone", format!("{name:?} is no IANA time zone")))?;
    let moment = match arguments["at"].as_str() {
        Some(at) => at.parse().map_err(|_| wrong("at", format!("{at:?} is no moment in RFC 3339 with its offset")))?,
        None => Timestamp::from_millisecond(clock.now().0)
            .map_err(|error| ToolError::Failed { reason: error.to_string() })?,
    };
    let there = moment.to_zoned_datetime(zone);
    let told = json!({
        "time": there.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        "weekday": there.strftime("%A").to_string(),
        "timezone": name,
        "unix_ms": moment.as_millisecond(),
    });
    Ok(told.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(arguments: &Value) -> Result<Value, String> {
        let clock: Arc<dyn Clock> = Arc::new(domain::testing::ManualClock::at(1_795_435_200_000));
        call(&clock, arguments).map(|text| serde_json::from_str(&text).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_moment_is_told_in_every_zone() {
        assert_eq!(told(&json!({})).unwrap()["time"], "2026-11-23T12:00:00+00:00");
        let there = told(&json!({ "timezone": "Asia/Shanghai" })).unwrap();
        assert_eq!((&there["time"], &there["weekday"]), (&json!("2026-11-23T20:00:00+08:00"), &json!("Monday")));
        // Summer time, and an offset of half hours.
        let at = |zone: &str| told(&json!({ "timezone": zone, "at": "2026-07-01T00:00:00Z" })).unwrap()["time"].clone();
        assert_eq!(at("Europe/Berlin"), "2026-07-01T02:00:00+02:00");
        assert_eq!(at("Asia/Kolkata"), "2026-07-01T05:30:00+05:30");
        assert_eq!(
            told(&json!({ "timezone": "Mars/Base" })).unwrap_err(),
            "timezone: \"Mars/Base\" is no IANA time zone"
        );
        assert!(told(&json!({ "at": "yesterday" })).is_err());
    }
}
