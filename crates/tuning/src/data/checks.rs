//! What a person should look at before a model is taught with it. Nothing is refused here: a hint is a hint.

use std::collections::HashMap;

use super::example::normal;
use super::{Example, Flaw, Personal, alike, personal};

/// From so many characters on an example is long: a small model's context and a small machine's memory end about there.
pub const LONG: usize = 4_000;

/// One thing to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Issue {
    /// The answer is one character, or nothing but signs.
    Short,
    /// More than [`LONG`] characters.
    Long,
    /// Question and answer are in different languages.
    LanguageDiffers,
    /// Personal data.
    Personal(Personal),
    /// Almost the same as an earlier one.
    NearDuplicate,
    /// The same question has another answer elsewhere in the set.
    AnswersDiffer,
}

impl Issue {
    /// Every word that [`Issue::as_str`] gives.
    pub const WORDS: [&str; 9] = [
        "short",
        "long",
        "language_differs",
        "phone",
        "identity",
        "mail",
        "bank_card",
        "near_duplicate",
        "answers_differ",
    ];

    /// One word for the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Issue::Short => "short",
            Issue::Long => "long",
            Issue::LanguageDiffers => "language_differs",
            Issue::Personal(kind) => kind.as_str(),
            Issue::NearDuplicate => "near_duplicate",
            Issue::AnswersDiffer => "answers_differ",
        }
    }
}

/// A whole set, looked over.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// For each example what to look at, in the set's order.
    pub issues: Vec<Vec<Issue>>,
    /// For each example the earlier one that it is almost the same as.
    pub twins: Vec<Option<usize>>,
    /// How many characters the longest has.
    pub longest: usize,
    /// And all of them.
    pub characters: usize,
    /// How many are in which language, by their question.
    pub languages: Vec<(Language, usize)>,
}

/// The language a text is written in, as far as its script tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    Chinese,
    /// Any that is written in Latin letters.
    Latin,
    Other,
}

impl Language {
    /// One word for the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Language::Chinese => "chinese",
            Language::Latin => "latin",
            Language::Other => "other",
        }
    }
}

/// Looks a whole set over.
pub fn report(examples: &[Example]) -> Report {
    let texts: Vec<String> = examples.iter().map(|one| format!("{}\n{}", one.question(), one.answer())).collect();
    let twins = alike(&texts);
    let mut answers: HashMap<String, Vec<String>> = HashMap::new();
    for example in examples.iter().filter(|example| is_alone(example)) {
        let known = answers.entry(normal(example.question())).or_default();
        let answer = normal(example.answer());
        if !known.contains(&answer) {
            known.push(answer);
        }
    }
    let mut report = Report { twins, ..Report::default() };
    for (example, twin) in examples.iter().zip(&report.twins) {
        let size = characters(example);
        report.characters += size;
        report.longest = report.longest.max(size);
        let mut issues = alone(example);
        issues.extend(twin.map(|_| Issue::NearDuplicate));
        let differ = is_alone(example) && answers.get(&normal(example.question())).is_some_and(|known| known.len() > 1);
        issues.extend(differ.then_some(Issue::AnswersDiffer));
        report.issues.push(issues);
        let language = language(example.question()).unwrap_or(Language::Other);
        match report.languages.iter_mut().find(|(known, _)| *known == language) {
            Some((_, count)) => *count += 1,
            None => report.languages.push((language, 1)),
        }
    }
    report
}

/// A question that nothing was said before: the same words in the middle of a talk may mean something else.
fn is_alone(example: &Example) -> bool {
    example.messages.iter().filter(|message| message.author == domain::Author::User).count() == 1
}

fn characters(example: &Example) -> usize {
    example.messages.iter().map(|message| message.text.chars().count()).sum()
}

/// What an example shows by itself.
fn alone(example: &Example) -> Vec<Issue> {
    let mut issues = Vec::new();
    if matches!(example.check(), Err(Flaw::Empty))
        || example.answer().chars().filter(|c| c.is_alphanumeric()).count() < 2
    {
        issues.push(Issue::Short);
    }
    if characters(example) > LONG {
        issues.push(Issue::Long);
    }
    if let (Some(asked), Some(answered)) = (language(&bare(example.question())), language(&bare(example.answer())))
        && asked != answered
    {
        issues.push(Issue::LanguageDiffers);
    }
    let mut kinds: Vec<Personal> =
        example.messages.iter().flat_map(|message| personal(&message.text)).map(|one| one.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    issues.extend(kinds.into_iter().map(Issue::Personal));
    issues
}

/// Without its personal data: an address is in no language.
fn bare(text: &str) -> String {
    let mut out = text.to_owned();
    for one in personal(text).into_iter().rev() {
        out.replace_range(one.start..one.end, " ");
    }
    out
}

/// The language of a text; `None` where there is too little of it to tell. A Latin word counts as much as a Chinese character.
pub fn language(text: &str) -> Option<Language> {
    let (mut chinese, mut latin, mut other, mut in_word) = (0, 0, 0, false);
    for letter in text.chars() {
        let is_latin = letter.is_ascii_alphabetic() || ('\u{c0}'..='\u{24f}').contains(&letter);
        match letter {
            '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3134f}' => chinese += 1,
            _ if is_latin => latin += usize::from(!in_word),
            _ if letter.is_alphabetic() => other += 1,
            _ => {}
        }
        in_word = is_latin;
    }
    let most = chinese.max(latin).max(other);
    match most {
        ..2 => None,
        // Kana beside the Chinese characters of Japanese; one word of Latin script for each does not make a text English.
        _ if other * 4 > chinese + latin => Some(Language::Other),
        _ if chinese >= latin => Some(Language::Chinese),
        _ => Some(Language::Latin),
    }
}
