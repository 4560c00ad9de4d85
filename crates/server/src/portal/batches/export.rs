//! A batch as a file: the cells of each row, its answer, and what became of it; as CSV or a workbook for a spreadsheet, or a JSON
//! object a line for programs. Rows leave as they are read: no file is put together in memory but a workbook.

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::{BatchId, Caller};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::{BatchRow, BatchRowsOf, BatchRun};
use utoipa::IntoParams;

use super::{LONGEST_PAGE, found, workbook};
use crate::caller::SignedIn;
use crate::portal::body::{Path, Query};
use crate::portal::evaluations::export_line;
use crate::{Problem, Server};

/// What stands beside the cells of a row.
const BESIDE: [&str; 7] = ["answer", "state", "failure", "prompt", "completion", "ms", "tries"];

/// In which form it leaves.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct BatchFormat {
    /// `csv`, `xlsx` or `jsonl`; absent: `csv`.
    format: Option<String>,
}

/// A form.
#[derive(Debug, Clone, Copy)]
enum Form {
    Csv,
    Jsonl,
}

#[utoipa::path(get, path = "/api/batches/{id}/export", tag = "batches", params(("id" = String, Path), BatchFormat), responses((status = 200, description = "a file: a row for each row"), (status = 404)))]
pub(crate) async fn export(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<BatchId>,
    Query(query): Query<BatchFormat>,
) -> Result<Response, Problem> {
    let batch = found(&server, &caller, id).await?;
    let (kind, ending, body) = match query.format.as_deref() {
        None | Some("" | "csv") => ("text/csv; charset=utf-8", "csv", lines(server, caller, batch, Form::Csv)),
        Some("jsonl") => ("application/jsonl", "jsonl", lines(server, caller, batch, Form::Jsonl)),
        Some("xlsx") => {
            let bytes = table(&server, &caller, &batch).await?;
            ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx", Body::from(bytes))
        }
        Some(other) => {
            return Err(Problem::invalid("format", format!("{other:?} is no format; use csv, xlsx or jsonl")));
        }
    };
    let disposition = format!("attachment; filename=\"batch.{ending}\"");
    Ok(([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], body).into_response())
}

/// The heading, and page by page the rows.
fn lines(server: Server, caller: Caller, batch: BatchRun, form: Form) -> Body {
    let mut head = String::new();
    if let Form::Csv = form {
        // A mark by which spreadsheets know that it is UTF-8.
        head.push('\u{feff}');
        export_line(&mut head, &heading(&batch));
    }
    let state = (Some(0), head);
    let pieces = stream::try_unfold(state, move |(from, head)| {
        let (server, columns, id) = (server.clone(), batch.columns.clone(), batch.id);
        async move {
            let Some(from) = from else { return Ok::<_, std::io::Error>(None) };
            let of = BatchRowsOf { state: None, from, limit: LONGEST_PAGE };
            let rows = server.store.batch_rows(&caller, id, of).await.map_err(std::io::Error::other)?;
            let next = rows.last().filter(|_| rows.len() == LONGEST_PAGE as usize).map(|row| row.seq + 1);
            let mut text = head;
            for row in &rows {
                match form {
                    Form::Csv => export_line(&mut text, &cells(row, columns.len())),
                    Form::Jsonl => {
                        text.push_str(&object(row, &columns).to_string());
                        text.push('\n');
                    }
                }
            }
            Ok(Some((Bytes::from(text), (next, String::new()))))
        }
    });
    Body::from_stream(pieces)
}

fn heading(batch: &BatchRun) -> Vec<String> {
    batch.columns.iter().cloned().chain(BESIDE.map(str::to_owned)).collect()
}

fn cells(row: &BatchRow, columns: usize) -> Vec<String> {
    let mut cells = row.cells.clone();
    cells.resize(columns, String::new());
    cells.extend([
        row.answer.clone(),
        row.state.as_str().to_owned(),
        row.failure.as_ref().map(|why| format!("{}: {}", why.code, why.message)).unwrap_or_default(),
        row.usage.prompt.0.to_string(),
        row.usage.completion.0.to_string(),
        row.ms.to_string(),
        row.tries.to_string(),
    ]);
    cells
}

fn object(row: &BatchRow, columns: &[String]) -> Value {
    let cells: Map<String, Value> = columns.iter().cloned().zip(row.cells.iter().map(|cell| json!(cell))).collect();
    let failure = row.failure.as_ref().map(|why| json!({ "code": why.code, "message": why.message }));
    json!({
        "row": row.seq + 1, "cells": cells, "answer": row.answer, "state": row.state.as_str(), "failure": failure,
        "prompt": row.usage.prompt.0, "completion": row.usage.completion.0, "ms": row.ms, "tries": row.tries,
    })
}

async fn table(server: &Server, caller: &Caller, batch: &BatchRun) -> Result<Vec<u8>, Problem> {
    let all = BatchRowsOf { state: None, from: 0, limit: u32::MAX >> 1 };
    let rows = server.store.batch_rows(caller, batch.id, all).await?;
    let lines = rows.iter().map(|row| cells(row, batch.columns.len()));
    let figures = batch.columns.len() + 3;
    workbook::of(&heading(batch), lines, figures..).map_err(|error| {
        Problem::from(store::Error::Corrupt { what: format!("no workbook could be written: {error}") })
    })
}
