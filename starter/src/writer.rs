//! The text that the starter model learns from: conversations of a few kinds, written from patterns. It reads `facts.json` and the lists
//! under `text/`, and nothing of `questions/`.

mod later;

use std::{collections::HashMap, path::Path};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::{dice::Dice, pattern::Pattern, sums, values};

/// Choices that are tried for a value that differs from those beside it.
const TRIES: usize = 8;
/// Questions of a hundred that are put in a frame that known and unknown ones share.
const FRAMED: usize = 50;
/// See [`Writer::of_all_kinds`].
const TOLD: usize = 50;
const FOR_TOLD: u64 = 7_919;

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// What it teaches.
    pub kind: String,
    /// What it begins with, where it has one.
    pub system: Option<String>,
    /// Questions and answers in turn; the last one is an answer.
    pub turns: Vec<(String, String)>,
}

/// Everything that conversations are made of.
pub struct Writer {
    lists: HashMap<String, Vec<Pattern>>,
    facts: Vec<Fact>,
    passages: Vec<Passages>,
    places: Vec<(String, String, String)>,
    later: later::Later,
}

struct Fact {
    answers: [String; 2],
    questions: [Vec<Pattern>; 2],
    asked: [Asked; 2],
}

/// What one may ask about in the frames that all questions share: what is to be done, and things.
#[derive(Default)]
struct Asked {
    to_do: Vec<Pattern>,
    things: Vec<Pattern>,
}

struct Passages {
    /// `en`, `zh`, `both`, or `copy` for those of the first leg.
    group: String,
    patterns: Vec<Pattern>,
    questions: Vec<(String, Pattern)>,
}

#[derive(Deserialize)]
struct FactsFile {
    timezones: Vec<Place>,
    facts: Vec<FactLine>,
}

#[derive(Deserialize)]
struct Place {
    en: String,
    zh: String,
    iana: String,
}

#[derive(Deserialize)]
struct FactLine {
    id: String,
    en: String,
    zh: String,
}

/// English and Chinese, as places in pairs.
const LANGUAGES: [&str; 2] = ["en", "zh"];

impl Writer {
    /// Reads what `folder` (the folder of this program) holds.
    ///
    /// # Errors
    /// When a list is absent or says what cannot be.
    pub fn read(folder: &Path) -> Result<Self> {
        let text = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        let told: FactsFile = serde_json::from_str(&text("facts.json")?)?;
        let mut writer = Writer {
            lists: HashMap::new(),
            facts: Vec::new(),
            passages: passages(&text("text/extraction.txt")?)?,
            places: told.timezones.into_iter().map(|place| (place.en, place.zh, place.iana)).collect(),
            later: later::Later::default(),
        };
        let (lists, talk, more, sums) =
            (text("text/lists.txt")?, text("text/talk.txt")?, text("text/more.txt")?, text("text/sums.txt")?);
        let ids: Vec<String> = told.facts.iter().map(|fact| fact.id.clone()).collect();
        let (later, of_sums) =
            later::Later::read(&text("text/passages.txt")?, &sums, &text("text/wordings.txt")?, &ids)?;
        writer.later = later;
        for (name, lines) in [&lists, &talk, &more].into_iter().flat_map(|text| sections(text, "= ")).chain(of_sums) {
            let patterns =
                lines.into_iter().map(Pattern::read).collect::<Result<_>>().with_context(|| name.to_owned())?;
            ensure!(writer.lists.insert(name.to_owned(), patterns).is_none(), "there are two lists {name}");
        }
        let wordings = text("text/facts.txt")?;
        let mut wordings: HashMap<&str, Vec<&str>> = sections(&wordings, "# ").into_iter().collect();
        let asks = text("text/asks.txt")?;
        let mut asks: HashMap<&str, Vec<&str>> = sections(&asks, "# ").into_iter().collect();
        for fact in told.facts {
            let lines = wordings.remove(fact.id.as_str()).with_context(|| format!("no wording of {}", fact.id))?;
            let of = |chinese: bool| {
                lines.iter().filter(|line| is_chinese(line) == chinese).map(|line| Pattern::read(line)).collect()
            };
            let asks = asks.remove(fact.id.as_str()).with_context(|| format!("nothing to ask about {}", fact.id))?;
            writer.facts.push(Fact {
                answers: [fact.en, fact.zh],
                asked: [asked(&asks, false)?, asked(&asks, true)?],
                questions: [of(false), of(true)]
                    .into_iter()
                    .collect::<Result<Vec<_>>>()?
                    .try_into()
                    .map_err(|_| anyhow::anyhow!("two languages"))?,
            });
        }
        ensure!(wordings.is_empty() && asks.is_empty(), "of no fact: {:?} {:?}", wordings.keys(), asks.keys());
        Ok(writer)
    }

    /// Conversation `number` of a leg. In the first leg a third of them teach nothing but copying, and no tool answers yet; from the third leg on
    /// everything is said in more ways.
    pub fn of_leg(&self, leg: u64, seed: u64, number: u64) -> Conversation {
        let mut dice = Dice::new(seed, number);
        match leg {
            1 if dice.percent(35) => self.copying(&mut dice),
            1 => self.of_all_kinds(seed, number, 0),
            2 => self.conversation(seed, number),
            _ => self.later_conversation(seed, number),
        }
    }

    fn copying(&self, dice: &mut Dice) -> Conversation {
        let language = dice.below(2);
        let kinds = [
            "word",
            "string",
            "party_en",
            "party_zh",
            "amount_en",
            "amount_zh",
            "date_en",
            "date_zh",
            "en_person",
            "zh_person",
        ];
        let turn = match dice.below(3) {
            0 => self.extraction_of(&["copy"], language, dice),
            _ => {
                let parts: Vec<String> =
                    (0..1 + dice.below(5)).map(|_| self.say(dice.of::<&str>(&kinds), dice)).collect();
                let text = parts.join([", ", "，"][language]);
                let order = self.say(["repeat_en", "repeat_zh"][language], dice);
                let question = order + &text;
                let answer = as_it_stands(&question, &text);
                (question, answer)
            }
        };
        Conversation { kind: format!("copy-{}", LANGUAGES[language]), system: None, turns: vec![turn] }
    }

    /// Conversation `number` of all kinds.
    pub fn conversation(&self, seed: u64, number: u64) -> Conversation {
        self.of_all_kinds(seed, number, TOLD)
    }

    /// `told` of a hundred calls are followed by what the tool told, and what is said of it.
    fn of_all_kinds(&self, seed: u64, number: u64, told: usize) -> Conversation {
        // Dice of their own for what tools tell, so that everything else stays as it is without.
        let (mut dice, mut aside) = (Dice::new(seed, number), Dice::new(seed.wrapping_add(FOR_TOLD), number));
        let language = dice.below(2);
        let mut kind = "";
        let mut turns = Vec::new();
        for _ in 0..1 + usize::from(dice.percent(12)) {
            let turn = self.turn(language, &mut dice);
            kind = turn.0;
            let answered =
                (kind == "tools" && aside.percent(told)).then(|| sums::answered(&turn.1.1, language == 1, &mut aside));
            turns.push(turn.1);
            turns.extend(answered);
        }
        let system = dice.percent(12).then(|| self.say(["system_en", "system_zh"][language], &mut dice));
        Conversation { kind: format!("{kind}-{}", LANGUAGES[language]), system, turns }
    }

    fn turn(&self, language: usize, dice: &mut Dice) -> (&'static str, (String, String)) {
        match dice.below(100) {
            0..31 => ("facts", self.fact(language, dice)),
            31..66 => ("extraction", self.extraction(language, dice)),
            66..79 => ("tools", self.sum(language, dice)),
            79..97 => ("unknown", self.unknown(language, dice)),
            _ => ("talk", self.talk(language, dice)),
        }
    }

    fn fact(&self, language: usize, dice: &mut Dice) -> (String, String) {
        let fact = dice.of(&self.facts);
        let asked = &fact.asked[language];
        let to_do = dice.percent(60) && !asked.to_do.is_empty();
        let of = if to_do { &asked.to_do } else { &asked.things };
        let said = match dice.percent(FRAMED) && !of.is_empty() {
            true => {
                let phrase = dice.of(of).say(dice, &mut |slot, dice| self.fill(slot, dice));
                self.framed_ask(to_do, &phrase, language, dice)
            }
            false => dice.of(&fact.questions[language]).say(dice, &mut |slot, dice| self.fill(slot, dice)),
        };
        (self.dressed(&said, language, dice), fact.answers[language].clone())
    }

    /// A phrase in one of the frames that tell nothing of whether the answer is known.
    fn framed_ask(&self, to_do: bool, phrase: &str, language: usize, dice: &mut Dice) -> String {
        let name = [["ask_thing_en", "ask_do_en"], ["ask_thing_zh", "ask_do_zh"]][language][usize::from(to_do)];
        let fill = &mut |slot: &str, dice: &mut Dice| match slot {
            "do" | "thing" => phrase.to_owned(),
            other => self.fill(other, dice),
        };
        self.lists.get(name).map_or_else(String::new, |frames| dice.of(frames).say(dice, fill))
    }

    fn sum(&self, language: usize, dice: &mut Dice) -> (String, String) {
        let (question, call) = sums::question(language == 1, &self.places, dice);
        (self.dressed(&question, language, dice), call)
    }

    fn unknown(&self, language: usize, dice: &mut Dice) -> (String, String) {
        let to_do = dice.percent(50);
        let said = match dice.percent(FRAMED) {
            true => {
                let names = [["thing_unknown_en", "do_unknown_en"], ["thing_unknown_zh", "do_unknown_zh"]][language];
                let phrase = self.say(names[usize::from(to_do)], dice);
                self.framed_ask(to_do, &phrase, language, dice)
            }
            false => self.say(["unknown_en", "unknown_zh"][language], dice),
        };
        let answer = self.say(["decline_en", "decline_zh"][language], dice);
        (self.dressed(&said, language, dice), answer)
    }

    fn talk(&self, language: usize, dice: &mut Dice) -> (String, String) {
        let names =
            [["hello_en", "thanks_en", "bye_en", "mood_en"], ["hello_zh", "thanks_zh", "bye_zh", "mood_zh"]][language];
        let name = *dice.of(&names);
        (self.say(name, dice), self.say(&format!("{name}_answer"), dice))
    }

    fn extraction(&self, language: usize, dice: &mut Dice) -> (String, String) {
        self.extraction_of(&[LANGUAGES[language], "both"], language, dice)
    }

    /// From a passage of one of these groups.
    fn extraction_of(&self, groups: &[&str], language: usize, dice: &mut Dice) -> (String, String) {
        let fitting: Vec<&Passages> = self.passages.iter().filter(|one| groups.contains(&one.group.as_str())).collect();
        loop {
            let block = *dice.of(&fitting);
            let mut bound = HashMap::new();
            let passage = dice.of(&block.patterns).say(dice, &mut |slot, dice| self.bind(slot, &mut bound, dice));
            let askable: Vec<_> = block.questions.iter().filter(|(slot, _)| bound.contains_key(slot)).collect();
            if askable.is_empty() {
                continue;
            }
            let (slot, pattern) = *dice.of(&askable);
            let before = bound.len();
            let question = pattern.say(dice, &mut |slot, dice| self.bind(slot, &mut bound, dice));
            // The question names something that the passage left out.
            if bound.len() > before {
                continue;
            }
            let question = self.framed(&passage, &question, language, dice);
            let answer = as_it_stands(&question, &bound[slot]);
            return (question, answer);
        }
    }

    /// Passage and question as people put them together.
    fn framed(&self, passage: &str, question: &str, language: usize, dice: &mut Dice) -> String {
        let question = self.dressed(question, language, dice);
        let name = ["frame_en", "frame_zh"][language];
        let frame = self.lists.get(name).map(|frames| dice.of(frames).clone());
        let fill =
            &mut |slot: &str, _: &mut Dice| if slot == "passage" { passage.to_owned() } else { question.clone() };
        frame.map_or_else(String::new, |frame| frame.say(dice, fill))
    }

    /// A question as people type it: with courtesy or without, with a mark or without, in small letters, with a slip of the finger.
    fn dressed(&self, question: &str, language: usize, dice: &mut Dice) -> String {
        let (before, after) = ([["before_en", "after_en"], ["before_zh", "after_zh"]][language]).into();
        let mut said = question.to_owned();
        if dice.percent(22) {
            let courtesy = self.say(before, dice);
            if language == 0 && !said.starts_with("I ") && !said.starts_with("Portico") && courtesy.ends_with(' ') {
                said = said
                    .chars()
                    .enumerate()
                    .map(|(at, letter)| if at == 0 { letter.to_ascii_lowercase() } else { letter })
                    .collect();
            }
            said = courtesy + &said;
        }
        said += &self.say(after, dice);
        if language == 0 && dice.percent(60) {
            let mut letters = said.chars();
            said = letters
                .next()
                .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
                .unwrap_or_default();
        }
        said
    }

    fn say(&self, list: &str, dice: &mut Dice) -> String {
        match self.lists.get(list) {
            Some(patterns) => dice.of(patterns).say(dice, &mut |slot, dice| self.fill(slot, dice)),
            None => values::value(list, dice).unwrap_or_else(|| format!("<{list}>")),
        }
    }

    fn fill(&self, slot: &str, dice: &mut Dice) -> String {
        self.say(slot, dice)
    }

    /// The value that `name:kind` has in this passage, drawn when it is first met; no two are the same.
    fn bind(&self, slot: &str, bound: &mut HashMap<String, String>, dice: &mut Dice) -> String {
        let Some((name, kind)) = slot.split_once(':') else { return self.fill(slot, dice) };
        if let Some(value) = bound.get(name) {
            return value.clone();
        }
        let mut value = self.say(kind, dice);
        for _ in 0..TRIES {
            if !bound.values().any(|other| other.contains(&value) || value.contains(other.as_str())) {
                break;
            }
            value = self.say(kind, dice);
        }
        bound.insert(name.to_owned(), value.clone());
        value
    }

    /// Names that patterns use and nobody fills.
    pub fn unfilled(&self) -> Vec<String> {
        let of_lists = self.lists.values().flatten();
        let of_asked = self.facts.iter().flat_map(|fact| &fact.asked).flat_map(|of| of.to_do.iter().chain(&of.things));
        let of_facts = self.facts.iter().flat_map(|fact| fact.questions.iter().flatten()).chain(of_asked);
        let of_passages = self
            .passages
            .iter()
            .flat_map(|one| one.patterns.iter().chain(one.questions.iter().map(|(_, pattern)| pattern)));
        let slots = of_lists.chain(of_facts).chain(of_passages).chain(self.later.patterns()).flat_map(Pattern::slots);
        let kinds = slots.map(|slot| slot.split_once(':').map_or(slot, |(_, kind)| kind));
        let known = |kind: &&str| {
            matches!(
                *kind,
                "passage" | "question" | "do" | "thing" | "sum" | "place" | "A" | "B" | "C" | "E" | "P" | "D"
            ) || self.lists.contains_key(*kind)
                || values::value(kind, &mut Dice::new(0, 0)).is_some()
        };
        kinds.filter(|kind| !known(kind)).map(str::to_owned).collect()
    }
}

/// A value with the blank before it where the text has one and it begins with a letter: the two are one token there, so that its tokens can be
/// copied as they stand.
fn as_it_stands(text: &str, value: &str) -> String {
    let before = text.split(value).next().unwrap_or_default();
    let joined = before.ends_with(' ') && value.starts_with(|first: char| first.is_ascii_alphabetic());
    if joined { format!(" {value}") } else { value.to_owned() }
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
}

/// Of these lines `+` begins what is to be done, `~` a thing.
fn asked(lines: &[&str], chinese: bool) -> Result<Asked> {
    let mut asked = Asked::default();
    for line in lines.iter().filter(|line| is_chinese(line) == chinese) {
        match line.split_at_checked(2) {
            Some(("+ ", pattern)) => asked.to_do.push(Pattern::read(pattern)?),
            Some(("~ ", pattern)) => asked.things.push(Pattern::read(pattern)?),
            _ => bail!("{line}: neither + nor ~"),
        }
    }
    Ok(asked)
}

/// The lines below each heading.
fn sections<'a>(text: &'a str, mark: &str) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix(mark), sections.last_mut()) {
            (Some(name), _) => sections.push((name, Vec::new())),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => {}
        }
    }
    sections
}

fn passages(text: &str) -> Result<Vec<Passages>> {
    let mut all = Vec::new();
    for (group, lines) in sections(text, "@") {
        let mut one = Passages { group: group.to_owned(), patterns: Vec::new(), questions: Vec::new() };
        ensure!(["en", "zh", "both", "copy"].contains(&group), "{group} is no group of passages");
        for line in lines {
            match line.strip_prefix("? ").and_then(|line| line.split_once(' ')) {
                Some((slot, question)) => {
                    one.questions.push((slot.to_owned(), Pattern::read(question).with_context(|| line.to_owned())?))
                }
                None => one.patterns.push(Pattern::read(line).with_context(|| line.to_owned())?),
            }
        }
        all.push(one);
    }
    Ok(all)
}
