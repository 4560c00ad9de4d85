//! An evaluation as a file: JSON as the API answers it, or a table for a spreadsheet.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::{Author, EvaluationId};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{EvaluationAnswerView, EvaluationResult, EvaluationRow};
use crate::caller::Administrator;
use crate::portal::body::{Path, Query};
use crate::{Problem, Server};

/// In which form it leaves.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct FormatQuery {
    /// `csv` or `json`; absent: `json`.
    format: Option<String>,
}

#[utoipa::path(get, path = "/api/evaluations/{id}/export", tag = "evaluations", params(("id" = String, Path), FormatQuery), responses((status = 200, description = "a file: the evaluation as JSON, or a row for each question as CSV"), (status = 404)))]
pub(crate) async fn export(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<EvaluationId>,
    Query(query): Query<FormatQuery>,
) -> Result<Response, Problem> {
    let result = super::result(&server, &caller, id).await?;
    let (kind, name, text) = match query.format.as_deref() {
        None | Some("" | "json") => {
            ("application/json", "evaluation.json", serde_json::to_string_pretty(&result).unwrap_or_default())
        }
        Some("csv") => ("text/csv; charset=utf-8", "evaluation.csv", table(&result)),
        Some(other) => {
            return Err(Problem::invalid("format", format!("{other:?} is no format; use csv or json")));
        }
    };
    let disposition = format!("attachment; filename=\"{name}\"");
    Ok(([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], text).into_response())
}

/// RFC 4180 with a mark in front by which spreadsheets know that it is UTF-8.
fn table(result: &EvaluationResult) -> String {
    let mut text = "\u{feff}".to_owned();
    let mut head = vec!["number".to_owned(), "question".to_owned(), "expected".to_owned()];
    for (number, variant) in (1..).zip(&result.evaluation.variants) {
        let prompted = if variant.system_prompt.is_some() { " + prompt" } else { "" };
        let name = format!("{number} {}{prompted}", variant.model);
        head.push(name.clone());
        head.extend(["exact", "similarity", "ms", "tokens", "failure"].map(|figure| format!("{name}: {figure}")));
    }
    line(&mut text, &head);
    for row in &result.rows {
        let mut cells = vec![(row.seq + 1).to_string(), question(row).to_owned(), row.expected.clone()];
        for at in (0..).take(result.evaluation.variants.len()) {
            cells.extend(answered(row.answers.iter().find(|answer| answer.variant == at)));
        }
        line(&mut text, &cells);
    }
    text
}

fn question(row: &EvaluationRow) -> &str {
    row.messages.iter().rev().find(|message| message.author == Author::User).map_or("", |message| &message.text)
}

fn answered(answer: Option<&EvaluationAnswerView>) -> [String; 6] {
    let Some(answer) = answer else { return Default::default() };
    [
        answer.text.clone(),
        answer.exact.map(|exact| u8::from(exact).to_string()).unwrap_or_default(),
        answer.similarity.map(|share| share.to_string()).unwrap_or_default(),
        answer.ms.to_string(),
        answer.completion.to_string(),
        answer.failure.as_ref().map(|failure| failure.code.clone().into_owned()).unwrap_or_default(),
    ]
}

pub(crate) fn line(text: &mut String, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

/// A model's text is nobody's formula: what a spreadsheet would compute gets an apostrophe in front
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn cells_are_quoted_where_they_must_be_and_compute_nothing() {
        for (text, written) in [
            ("plain 文", "plain 文"),
            ("a, \"b\"", "\"a, \"\"b\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("-5", "'-5"),
            ("@SUM(A1,A2)", "\"'@SUM(A1,A2)\""),
            ("", ""),
        ] {
            assert_eq!(cell(text), written);
        }
    }
}
