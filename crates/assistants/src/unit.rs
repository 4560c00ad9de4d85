//! The unit itself, and what it may say: lengths, ranges, names of variables. Whether its model is there is not asked: models come
//! and go.

use std::collections::HashSet;
use std::fmt;

use domain::Sampling;
use serde::{Deserialize, Serialize};

use crate::fill::{BUILT_IN, Occasion, fill, named};

/// The pictures there are to choose from. The pages draw them, so that no picture is fetched from anywhere.
pub const ICONS: [&str; 20] = [
    "bot",
    "book",
    "briefcase",
    "calculator",
    "chart",
    "code",
    "gavel",
    "graduation",
    "headset",
    "heart",
    "languages",
    "lightbulb",
    "mail",
    "notebook",
    "pen",
    "receipt",
    "scale",
    "search",
    "shield",
    "wrench",
];

/// What an assistant has to be known by, and works by.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// Its name for people.
    pub name: String,
    /// Its picture.
    #[serde(default)]
    pub avatar: Avatar,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub summary: String,
    /// The system prompt, with `{{variables}}`.
    #[serde(default)]
    pub prompt: String,
    /// Values for variables of its own.
    #[serde(default)]
    pub variables: Vec<Variable>,
    /// Offered where a conversation begins.
    #[serde(default)]
    pub questions: Vec<String>,
    /// A model or an alias; absent: the one that the person has chosen.
    #[serde(default)]
    pub model: Option<String>,
    /// Absent fields are the model's own.
    #[serde(default)]
    pub sampling: Sampling,
    /// Ids of the plugins it is meant to have. Carried along and shown; nothing here calls one.
    #[serde(default)]
    pub plugins: Vec<String>,
}

/// A picture: one of [`ICONS`], in a colour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Avatar {
    pub icon: String,
    /// Degrees of the colour circle, 0 to 359.
    pub hue: u16,
}

impl Default for Avatar {
    fn default() -> Self {
        Avatar { icon: ICONS[0].to_owned(), hue: 258 }
    }
}

/// A variable that the assistant itself gives a value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// As it stands between the braces.
    pub name: String,
    pub value: String,
}

/// The longest there may be, in characters, and the most.
#[derive(Debug)]
pub struct Limits {
    pub name: usize,
    pub summary: usize,
    pub prompt: usize,
    pub variables: usize,
    pub value: usize,
    pub questions: usize,
    pub question: usize,
    pub plugins: usize,
}

/// See [`Limits`].
pub const LIMITS: Limits = Limits {
    name: 60,
    summary: 300,
    prompt: 20_000,
    variables: 20,
    value: 2_000,
    questions: 8,
    question: 300,
    plugins: 32,
};

/// What a unit may not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Where.
    pub field: &'static str,
    /// Why, as a sentence.
    pub sentence: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.sentence)
    }
}

fn flaw<T>(field: &'static str, sentence: impl Into<String>) -> Result<T, Flaw> {
    Err(Flaw { field, sentence: sentence.into() })
}

impl Unit {
    /// The same without blanks around its texts and without empty questions; a flaw where it cannot be kept.
    pub fn checked(mut self) -> Result<Unit, Flaw> {
        for text in [&mut self.name, &mut self.summary, &mut self.prompt, &mut self.avatar.icon] {
            trim(text);
        }
        self.model = self.model.map(|model| model.trim().to_owned()).filter(|model| !model.is_empty());
        self.questions.iter_mut().for_each(trim);
        self.questions.retain(|question| !question.is_empty());
        self.plugins.iter_mut().for_each(trim);
        self.plugins.retain(|plugin| !plugin.is_empty());
        if self.name.is_empty() || longer(&self.name, LIMITS.name) || self.name.contains(char::is_control) {
            return flaw("name", format!("a name has 1 to {} characters", LIMITS.name));
        }
        if !ICONS.contains(&self.avatar.icon.as_str()) || self.avatar.hue >= 360 {
            return flaw("avatar", format!("a picture is one of {} in a hue of 0 to 359", ICONS.join(", ")));
        }
        if longer(&self.summary, LIMITS.summary) {
            return flaw("summary", format!("a summary has at most {} characters", LIMITS.summary));
        }
        if longer(&self.prompt, LIMITS.prompt) {
            return flaw("prompt", format!("a prompt has at most {} characters", LIMITS.prompt));
        }
        if self.questions.len() > LIMITS.questions || self.questions.iter().any(|one| longer(one, LIMITS.question)) {
            let Limits { questions, question, .. } = LIMITS;
            return flaw(
                "questions",
                format!("there are at most {questions} opening questions of {question} characters"),
            );
        }
        if self.model.as_ref().is_some_and(|model| longer(model, 200)) {
            return flaw("model", "a model's name has at most 200 characters");
        }
        if self.plugins.len() > LIMITS.plugins || self.plugins.iter().any(|plugin| longer(plugin, 200)) {
            return flaw("plugins", format!("an assistant names at most {} plugins", LIMITS.plugins));
        }
        variables(&self.variables)?;
        sampling(&self.sampling)?;
        Ok(self)
    }

    /// The system prompt as a model reads it now. One pass: what a value says is never looked at again.
    pub fn instructions(&self, occasion: &Occasion<'_>) -> String {
        fill(&self.prompt, |name| {
            let own = self.variables.iter().find(|variable| variable.name == name);
            own.map(|variable| variable.value.clone()).or_else(|| occasion.value(name))
        })
    }

    /// Variables in the prompt that nothing fills: they stay as they are written.
    pub fn unfilled(&self) -> Vec<&str> {
        let known = |name: &str| BUILT_IN.contains(&name) || self.variables.iter().any(|one| one.name == name);
        let mut seen = HashSet::new();
        named(&self.prompt).into_iter().filter(|name| !known(name) && seen.insert(*name)).collect()
    }
}

fn trim(text: &mut String) {
    let trimmed = text.trim();
    if trimmed.len() != text.len() {
        *text = trimmed.to_owned();
    }
}

fn longer(text: &str, limit: usize) -> bool {
    text.chars().count() > limit
}

fn variables(all: &[Variable]) -> Result<(), Flaw> {
    if all.len() > LIMITS.variables {
        return flaw("variables", format!("an assistant has at most {} variables of its own", LIMITS.variables));
    }
    let mut seen = HashSet::new();
    for Variable { name, value } in all {
        let first = name.chars().next().is_some_and(|first| first.is_ascii_lowercase());
        let rest = name.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_');
        if !first || !rest || name.len() > 32 {
            let why = format!("{name:?} is no name of a variable: 1 to 32 of a-z, 0-9 and _, a letter first");
            return flaw("variables", why);
        }
        if BUILT_IN.contains(&name.as_str()) {
            return flaw("variables", format!("{name} is filled by the portal; choose another name"));
        }
        if !seen.insert(name) {
            return flaw("variables", format!("{name} is there twice"));
        }
        if longer(value, LIMITS.value) {
            return flaw("variables", format!("a value has at most {} characters", LIMITS.value));
        }
    }
    Ok(())
}

/// The ranges of the OpenAI dialect.
fn sampling(sampling: &Sampling) -> Result<(), Flaw> {
    let ranges = [
        ("temperature", sampling.temperature, 0.0..=2.0),
        ("top_p", sampling.top_p, 0.0..=1.0),
        ("min_p", sampling.min_p, 0.0..=1.0),
        ("frequency_penalty", sampling.frequency_penalty, -2.0..=2.0),
        ("presence_penalty", sampling.presence_penalty, -2.0..=2.0),
    ];
    for (name, value, range) in ranges {
        if value.is_some_and(|value| !range.contains(&value)) {
            return flaw("sampling", format!("{name} is {} to {}", range.start(), range.end()));
        }
    }
    if sampling.max_tokens == Some(0) {
        return flaw("sampling", "max_tokens is at least 1");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(change: impl FnOnce(&mut Unit)) -> Unit {
        let mut unit = Unit { name: "Clerk".into(), prompt: "Be brief.".into(), ..Unit::default() };
        change(&mut unit);
        unit
    }

    fn refused(change: impl FnOnce(&mut Unit)) -> String {
        unit(change).checked().expect_err("a flaw").to_string()
    }

    fn variable(name: &str) -> Vec<Variable> {
        vec![Variable { name: name.into(), value: "x".into() }]
    }

    #[test]
    fn blanks_go_and_what_is_left_empty_with_them() {
        let kept = unit(|unit| {
            unit.name = "  书记员 ".into();
            unit.questions = vec![" One? ".into(), "  ".into()];
            unit.model = Some(" ".into());
            unit.plugins = vec!["".into(), " invoice".into()];
        });
        let kept = kept.checked().expect("it can be kept");
        assert_eq!((kept.name.as_str(), kept.model), ("书记员", None));
        assert_eq!((kept.questions, kept.plugins), (vec!["One?".to_owned()], vec!["invoice".to_owned()]));
    }

    #[test]
    fn what_cannot_be_kept_names_its_field() {
        assert_eq!(refused(|unit| unit.name = " ".into()), "name: a name has 1 to 60 characters");
        assert_eq!(refused(|unit| unit.prompt = "长".repeat(20_001)), "prompt: a prompt has at most 20000 characters");
        assert!(refused(|unit| unit.avatar.icon = "unicorn".into()).starts_with("avatar: "));
        assert_eq!(refused(|unit| unit.sampling.temperature = Some(2.5)), "sampling: temperature is 0 to 2");
        assert_eq!(
            refused(|unit| unit.variables = variable("name")),
            "variables: name is filled by the portal; choose another name"
        );
        assert!(refused(|unit| unit.variables = variable("1st")).starts_with("variables: \"1st\" is no name"));
        assert_eq!(
            refused(|unit| unit.variables = [variable("a"), variable("a")].concat()),
            "variables: a is there twice"
        );
        assert!(refused(|unit| unit.questions = vec!["q".into(); 9]).starts_with("questions: "));
    }

    #[test]
    fn it_says_which_variables_nothing_fills() {
        let unit = unit(|unit| {
            unit.prompt = "{{date}} {{house}} {{court}} {{court}} {{Not One}}".into();
            unit.variables = variable("house");
        });
        assert_eq!(unit.unfilled(), ["court"]);
    }
}
