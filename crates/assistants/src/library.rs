//! Assistants to begin with: those of `catalog/personas`, which come with the binary, and those that an administrator laid into a
//! folder. One file says the same in both languages; taking one makes an assistant in one of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::Sampling;
use serde::Deserialize;

use crate::{Avatar, Unit, Variable};

/// Where a persona belongs in the library.
const CATEGORIES: [&str; 6] = ["law", "office", "finance", "service", "learning", "code"];

/// The files that come with the binary.
const FILES: [(&str, &str); 12] = [
    ("insurance-claims", include_str!("../../../catalog/personas/insurance-claims.json")),
    ("contract-reviewer", include_str!("../../../catalog/personas/contract-reviewer.json")),
    ("court-clerk", include_str!("../../../catalog/personas/court-clerk.json")),
    ("statute-lookup", include_str!("../../../catalog/personas/statute-lookup.json")),
    ("meeting-minutes", include_str!("../../../catalog/personas/meeting-minutes.json")),
    ("mail-draft", include_str!("../../../catalog/personas/mail-draft.json")),
    ("translator", include_str!("../../../catalog/personas/translator.json")),
    ("code-helper", include_str!("../../../catalog/personas/code-helper.json")),
    ("invoice-clerk", include_str!("../../../catalog/personas/invoice-clerk.json")),
    ("report-digest", include_str!("../../../catalog/personas/report-digest.json")),
    ("customer-service", include_str!("../../../catalog/personas/customer-service.json")),
    ("tutor", include_str!("../../../catalog/personas/tutor.json")),
];

/// An assistant of the library.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Persona {
    /// The name of its file.
    pub slug: String,
    /// Where it belongs.
    pub category: String,
    avatar: Avatar,
    #[serde(default)]
    sampling: Sampling,
    #[serde(default)]
    plugins: Vec<String>,
    en: Words,
    zh: Words,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    name: String,
    summary: String,
    prompt: String,
    #[serde(default)]
    variables: Vec<Variable>,
    questions: Vec<String>,
}

impl Persona {
    /// What it says, in Chinese for `zh…` and in English for every other language.
    pub fn unit(&self, language: &str) -> Unit {
        let words = if language.starts_with("zh") { &self.zh } else { &self.en };
        let Words { name, summary, prompt, variables, questions } = words.clone();
        let (avatar, sampling, plugins) = (self.avatar.clone(), self.sampling.clone(), self.plugins.clone());
        Unit { name, avatar, summary, prompt, variables, questions, model: None, sampling, plugins }
    }

    /// What keeps it out of a library, as a sentence.
    fn mistake(&self, slug: &str) -> Option<String> {
        if self.slug != slug {
            return Some(format!("its slug is {:?}, and its file is named {slug:?}", self.slug));
        }
        if !CATEGORIES.contains(&self.category.as_str()) {
            return Some(format!("category: {:?} is none of {}", self.category, CATEGORIES.join(", ")));
        }
        for language in ["en", "zh"] {
            let unit = match self.unit(language).checked() {
                Ok(unit) => unit,
                Err(flaw) => return Some(format!("{language}.{flaw}")),
            };
            if unit.prompt.is_empty() || unit.summary.is_empty() || unit.questions.is_empty() {
                return Some(format!("{language}: a persona has a summary, a prompt and opening questions"));
            }
            if let [first, ..] = unit.unfilled().as_slice() {
                return Some(format!("{language}.prompt: nothing fills {{{{{first}}}}}; name it under variables"));
            }
        }
        None
    }
}

/// The assistants to begin with.
#[derive(Debug, Default)]
pub struct Library {
    personas: Vec<Persona>,
}

impl Library {
    /// Those of the binary and those of a folder (`*.json`), which need not be there; and a sentence for each file that is left
    /// out. A file of the folder replaces the binary's own of that name.
    pub fn open(folder: &Path) -> (Library, Vec<String>) {
        let mut personas = BTreeMap::new();
        let mut mistakes = Vec::new();
        let mut order: Vec<String> = Vec::new();
        let own = files(folder).into_iter().map(|file| {
            let slug = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let text = std::fs::read_to_string(&file).map_err(|error| error.to_string());
            (slug, file.display().to_string(), text)
        });
        let built_in = FILES
            .iter()
            .map(|(slug, text)| ((*slug).to_owned(), format!("catalog/personas/{slug}.json"), Ok((*text).to_owned())));
        for (slug, file, text) in built_in.chain(own) {
            match text.and_then(|text| read(&slug, &text)) {
                Ok(persona) => {
                    if personas.insert(slug.clone(), persona).is_none() {
                        order.push(slug);
                    }
                }
                Err(why) => mistakes.push(format!("{file}: {why}")),
            }
        }
        let personas = order.iter().filter_map(|slug| personas.remove(slug)).collect();
        (Library { personas }, mistakes)
    }

    /// All of them, those of the binary first.
    pub fn personas(&self) -> &[Persona] {
        &self.personas
    }

    /// One of them.
    pub fn find(&self, slug: &str) -> Option<&Persona> {
        self.personas.iter().find(|persona| persona.slug == slug)
    }
}

/// The JSON files of a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect();
    files.sort();
    files
}

fn read(slug: &str, text: &str) -> Result<Persona, String> {
    // serde_json tells line and column.
    let persona: Persona = serde_json::from_str(text).map_err(|error| error.to_string())?;
    persona.mistake(slug).map_or(Ok(persona), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_binary_is_a_persona_in_both_languages() {
        let (library, mistakes) = Library::open(Path::new("/nowhere/at/all"));
        assert_eq!(mistakes, [""; 0]);
        assert_eq!(library.personas().len(), FILES.len());
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog/personas");
        assert_eq!(std::fs::read_dir(folder).expect("the folder").count(), FILES.len());
        let chinese = |text: &str| text.chars().any(|one| ('\u{4e00}'..='\u{9fff}').contains(&one));
        for persona in library.personas() {
            let (english, zh) = (persona.unit("en"), persona.unit("zh-CN"));
            assert!(!chinese(&english.name) && chinese(&zh.name) && chinese(&zh.prompt), "{}", persona.slug);
            assert_eq!(english.questions.len(), zh.questions.len(), "{}", persona.slug);
            assert!(english.prompt.len() > 400 && zh.prompt.chars().count() > 150, "{}", persona.slug);
        }
        let consultant = library.find("insurance-claims").expect("it is there").unit("zh");
        assert!(
            consultant.prompt.contains("保险理赔顾问") && consultant.prompt.contains("通俗"),
            "{}",
            consultant.prompt
        );
    }

    #[test]
    fn a_folder_adds_replaces_and_is_told_its_mistakes() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        let words = |name: &str, prompt: &str| {
            format!(r#"{{"name":"{name}","summary":"s","prompt":"{prompt}","questions":["q"]}}"#)
        };
        let file = |slug: &str, prompt: &str| {
            let (en, zh) = (words("Ours", prompt), words("我们的", "好"));
            format!(r#"{{"slug":"{slug}","category":"law","avatar":{{"icon":"scale","hue":1}},"en":{en},"zh":{zh}}}"#)
        };
        put("ours.json", &file("ours", "Be brief."));
        put("tutor.json", &file("tutor", "Teach."));
        put("broken.json", "{\n \"slug\": \"broken\",\n oops }");
        put("open.json", &file("open", "{{court}}"));
        put("other.json", &file("another", "x"));
        put("read.me", "not looked at");
        let (library, mistakes) = Library::open(folder.path());
        assert_eq!(library.personas().len(), FILES.len() + 1);
        assert_eq!(library.find("tutor").expect("it is there").unit("en").name, "Ours");
        assert_eq!(library.find("ours").expect("it is there").unit("zh-CN").name, "我们的");
        let said: Vec<&str> = mistakes.iter().filter_map(|one| one.split_once(".json: ")).map(|(_, why)| why).collect();
        assert!(said[0].contains("line 3 column 2"), "{said:?}");
        assert_eq!(said[1], "en.prompt: nothing fills {{court}}; name it under variables");
        assert_eq!(said[2], "its slug is \"another\", and its file is named \"other\"");
    }
}
