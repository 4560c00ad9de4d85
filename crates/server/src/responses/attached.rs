//! Files that the items of a request name, or carry: text is read as text, pictures as pictures. Nothing else is read here, and
//! nothing is fetched from elsewhere.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Caller;
use serde_json::{Value, json};

use crate::openai::files;
use crate::{Problem, Server};

/// What is in the caller's own files that were named, by their ids.
#[derive(Default)]
pub(super) struct Attached(HashMap<String, Content>);

/// What a model can be told of a file.
enum Content {
    Text(String),
    /// As a `data:` URL.
    Picture(String),
    Other,
}

/// Reads what `items` name. Together it may not be larger than a request.
pub(super) async fn read(
    server: &Server,
    caller: &Caller,
    items: impl Iterator<Item = &Value>,
) -> Result<Attached, Problem> {
    let (mut found, mut left) = (HashMap::new(), server.doors.body_limit() as u64);
    for named in items.flat_map(named).collect::<Vec<String>>() {
        let Some(id) = files::id_of(&named).filter(|_| !found.contains_key(&named)) else { continue };
        let Some(row) = server.store.file(caller, id).await? else { continue };
        let too_large = || Problem::too_large(server.doors.body_limit());
        left = left.checked_sub(row.bytes).ok_or_else(too_large)?;
        let mut bytes = Vec::with_capacity(usize::try_from(row.bytes).map_err(|_| too_large())?);
        for seq in 0.. {
            let Some(piece) = server.store.file_piece(caller, id, seq).await? else { break };
            bytes.extend_from_slice(&piece);
        }
        found.insert(named, content(&row.name, &bytes));
    }
    Ok(Attached(found))
}

/// The ids of files in an item's parts.
fn named(item: &Value) -> impl Iterator<Item = String> {
    let parts = [&item["content"], &item["output"]].into_iter().filter_map(Value::as_array).flatten();
    parts.filter_map(|part| part["file_id"].as_str().map(str::to_owned))
}

impl Attached {
    /// A file, as a part of a chat's message. The error says what is wrong with it.
    pub(super) fn file(&self, part: &Value) -> Result<Value, String> {
        let carried;
        let content = match (part["file_id"].as_str(), part["file_data"].as_str()) {
            (Some(id), _) => self.find(id)?,
            (None, Some(data)) => {
                // Plain base64, or a `data:` URL.
                let data = data.split_once(";base64,").map_or(data, |(_, data)| data);
                let bytes = STANDARD.decode(data).map_err(|_| "file_data is not base64".to_owned())?;
                carried = content(part["filename"].as_str().unwrap_or("file"), &bytes);
                &carried
            }
            (None, None) => return Err("nothing is fetched from elsewhere; send a file_id or file_data".to_owned()),
        };
        match content {
            Content::Text(text) => Ok(json!({ "type": "text", "text": text })),
            Content::Picture(url) => Ok(json!({ "type": "image_url", "image_url": { "url": url } })),
            Content::Other => Err("only text (UTF-8) and pictures (PNG, JPEG, GIF, WebP) are read here".to_owned()),
        }
    }

    /// A file that is to be a picture, as a `data:` URL.
    pub(super) fn picture(&self, id: &str) -> Result<&str, String> {
        match self.find(id)? {
            Content::Picture(url) => Ok(url),
            _ => Err(format!("the file {id:?} is no picture that is known here (PNG, JPEG, GIF, WebP)")),
        }
    }

    fn find(&self, id: &str) -> Result<&Content, String> {
        let told = || id.chars().take(64).collect::<String>();
        self.0.get(id).ok_or_else(|| format!("there is no file {:?}; GET /v1/files lists yours", told()))
    }
}

/// By the first bytes: what a file is called, or said to be, is only somebody's word.
fn content(name: &str, bytes: &[u8]) -> Content {
    let kind = match bytes {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => {
            return match std::str::from_utf8(bytes) {
                Ok(text) if !text.contains('\0') => {
                    Content::Text(format!("{name}:\n\n{}", text.trim_start_matches('\u{feff}')))
                }
                _ => Content::Other,
            };
        }
    };
    Content::Picture(format!("data:{kind};base64,{}", STANDARD.encode(bytes)))
}
