//! Reads what scripts/schemas brought: the schemas of `list.txt` with their instances, and a vocabulary.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use engine::{
    backend::{Token, Vocabulary},
    grammar::Words,
};
use serde_json::Value;

const LIST: &str = include_str!("../list.txt");

/// One schema.
pub struct Case {
    /// The package, and the draft of a suite.
    pub group: String,
    /// Where it stands.
    pub name: String,
    pub schema: Value,
    /// Values, and whether they fit.
    pub instances: Vec<(Value, bool)>,
}

/// Every schema of the list.
pub fn cases(material: &Path) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (kind, package, folder) in entries() {
        let folder = material.join(package.replace('/', "+")).join(folder);
        let mut files = Vec::new();
        match kind {
            "suite" => json_files(&folder, &mut files)?,
            "schemas" => json_files(&folder, &mut files)?,
            _ => continue,
        }
        files.sort();
        for file in files {
            let name = format!("{package} {}", file.strip_prefix(&folder)?.display());
            let text = fs::read_to_string(&file)?;
            let Ok(value) = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')) else { continue };
            match kind {
                "suite" => suite(&value, package, &name, &mut cases),
                _ if is_schema(&value) => {
                    cases.push(Case { group: package.to_owned(), name, schema: value, instances: Vec::new() });
                }
                _ => {}
            }
        }
    }
    Ok(cases)
}

fn entries() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    LIST.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.nth(1)?, words.next()?))
    })
}

fn json_files(folder: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("{} (scripts/schemas brings it)", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            json_files(&path, into)?;
        } else if path.extension().is_some_and(|end| end == "json") {
            into.push(path);
        }
    }
    Ok(())
}

/// The rule that `list.txt` states.
fn is_schema(value: &Value) -> bool {
    let says = value["$schema"].as_str().is_some_and(|schema| schema.contains("json-schema.org"));
    says || (value["type"] == "object" && value["properties"].is_object())
}

fn suite(file: &Value, package: &str, name: &str, cases: &mut Vec<Case>) {
    let draft = name.split_once(' ').and_then(|(_, path)| path.split('/').next()).unwrap_or_default();
    let Some(written) = dialect(draft) else { return };
    for (nth, group) in file.as_array().into_iter().flatten().enumerate() {
        let mut schema = group["schema"].clone();
        // A suite's folder says the draft; a schema that is no object cannot.
        if let Some(keys) = schema.as_object_mut() {
            keys.entry("$schema").or_insert_with(|| written.into());
        }
        let tests = group["tests"].as_array().into_iter().flatten();
        cases.push(Case {
            group: format!("{package} {draft}"),
            name: format!("{name} {nth} ({})", group["description"].as_str().unwrap_or_default()),
            schema,
            instances: tests.map(|test| (test["data"].clone(), test["valid"] == true)).collect(),
        });
    }
}

/// The folders of a suite that are a draft of their own, and what such a schema says of itself.
fn dialect(draft: &str) -> Option<&'static str> {
    match draft {
        "draft3" => Some("http://json-schema.org/draft-03/schema#"),
        "draft4" => Some("http://json-schema.org/draft-04/schema#"),
        "draft6" => Some("http://json-schema.org/draft-06/schema#"),
        "draft7" => Some("http://json-schema.org/draft-07/schema#"),
        "draft2019-09" => Some("https://json-schema.org/draft/2019-09/schema"),
        "draft2020-12" => Some("https://json-schema.org/draft/2020-12/schema"),
        _ => None,
    }
}

/// The vocabulary, and the bytes of each of its tokens; the last one ends an answer.
pub fn words(material: &Path) -> Result<(Arc<Words>, Vec<Vec<u8>>)> {
    let (_, package, file) = entries().find(|(kind, ..)| *kind == "words").context("list.txt names no words")?;
    let text = fs::read_to_string(material.join(package.replace('/', "+")).join(file))?;
    let object = text.trim().trim_start_matches("export default").trim_end_matches(';').trim();
    let object = object.get(..=object.rfind('}').context("no object")?).context("no object")?;
    let ranks: Value = serde_json::from_str(object)?;
    let mut tokens: Vec<Vec<u8>> = Vec::new();
    for line in ranks["bpe_ranks"].as_str().context("bpe_ranks is a text")?.lines() {
        // `! FIRST_RANK TOKEN…`
        for word in line.split_whitespace().skip(2) {
            tokens.push(STANDARD.decode(word)?);
        }
    }
    tokens.push(Vec::new());
    let tokens = Arc::new(tokens);
    Ok((Arc::new(Words::of(&Ranks(Arc::clone(&tokens)))), tokens.to_vec()))
}

struct Ranks(Arc<Vec<Vec<u8>>>);

impl Vocabulary for Ranks {
    fn size(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, _: &str, _: bool, _: bool) -> Vec<Token> {
        Vec::new()
    }

    fn decode(&self, token: Token, _: bool, into: &mut Vec<u8>) {
        into.extend(usize::try_from(token).ok().and_then(|token| self.0.get(token)).into_iter().flatten());
    }

    fn ends(&self, token: Token) -> bool {
        usize::try_from(token).is_ok_and(|token| token + 1 == self.0.len())
    }

    fn marks(&self) -> (String, String) {
        (String::new(), String::new())
    }
}
