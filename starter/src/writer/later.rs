//! What the third leg and those after it are written from: other ways of saying what the first two say. Passages are put together from sentences in
//! any order and asked about more than once; sums are stories; questions are typed as people type. What the first legs are written from stays as it
//! is, and is a part of this.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};

use super::{Conversation, FRAMED, LANGUAGES, Writer, as_it_stands, is_chinese, sections};
use crate::{dice::Dice, pattern::Pattern, sums, typing};

/// What later legs read beside the texts of the first two.
#[derive(Default)]
pub(super) struct Later {
    scenes: Vec<Scene>,
    sums: [Vec<Sum>; 2],
    /// Of each fact, in the order of the facts.
    wordings: Vec<[Vec<Pattern>; 2]>,
}

/// A passage that is put together: one of its beginnings, and some of the sentences that may follow, or the lines of a form.
struct Scene {
    language: usize,
    form: bool,
    leads: Vec<Pattern>,
    clauses: Vec<Pattern>,
    questions: Vec<(String, Pattern)>,
}

struct Sum {
    expression: String,
    /// What is asked within a frame.
    phrases: Pattern,
    /// What is asked as it stands.
    stories: Vec<Pattern>,
}

/// Values of a hundred that have a form of the later lists.
const MORE_FORMS: usize = 40;
/// Sums that are asked most: the first of each language.
const COMMON: usize = 7;

impl Later {
    /// Reads what these texts hold, for facts of these ids; the lists among the sums are returned.
    pub(super) fn read<'a>(
        passages: &str,
        sums: &'a str,
        wordings: &str,
        facts: &[String],
    ) -> Result<(Self, Vec<(&'a str, Vec<&'a str>)>)> {
        let mut later = Later { scenes: scenes(passages)?, ..Later::default() };
        let mut lists = Vec::new();
        for (name, lines) in sections(sums, "= ") {
            let Some((language, expression)) =
                name.split_once(' ').and_then(|(of, rest)| Some((LANGUAGES.iter().position(|one| *one == of)?, rest)))
            else {
                lists.push((name, lines));
                continue;
            };
            let mut patterns: Vec<Pattern> = lines.into_iter().map(Pattern::read).collect::<Result<_>>()?;
            ensure!(!patterns.is_empty(), "nobody asks for {name}");
            let phrases = patterns.remove(0);
            later.sums[language].push(Sum { expression: expression.to_owned(), phrases, stories: patterns });
        }
        let wordings: HashMap<&str, Vec<&str>> = sections(wordings, "# ").into_iter().collect();
        for id in facts {
            let lines = wordings.get(id.as_str()).with_context(|| format!("no other wording of {id}"))?;
            let of = |chinese: bool| {
                lines.iter().filter(|line| is_chinese(line) == chinese).map(|line| Pattern::read(line)).collect()
            };
            later.wordings.push(
                [of(false), of(true)]
                    .into_iter()
                    .collect::<Result<Vec<_>>>()?
                    .try_into()
                    .map_err(|_| anyhow::anyhow!("two languages"))?,
            );
        }
        Ok((later, lists))
    }

    /// All of its patterns.
    pub(super) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let scenes = self.scenes.iter().flat_map(|one| {
            one.leads.iter().chain(&one.clauses).chain(one.questions.iter().map(|(_, pattern)| pattern))
        });
        let sums = self.sums.iter().flatten().flat_map(|sum| sum.stories.iter().chain([&sum.phrases]));
        scenes.chain(sums).chain(self.wordings.iter().flatten().flatten())
    }
}

impl Writer {
    /// Conversation `number` of the third leg or a later one.
    pub fn later_conversation(&self, seed: u64, number: u64) -> Conversation {
        let mut dice = Dice::new(seed, number);
        let language = dice.below(2);
        let mut kind = "";
        let mut turns = Vec::new();
        for _ in 0..1 + usize::from(dice.percent(8)) {
            kind = match dice.below(100) {
                0..25 => "facts",
                25..68 => "extraction",
                68..83 => "tools",
                83..97 => "unknown",
                _ => "talk",
            };
            match kind {
                "facts" => turns.push(self.later_fact(language, &mut dice)),
                "extraction" => turns.extend(self.scene(language, &mut dice)),
                "unknown" => turns.push(self.later_unknown(language, &mut dice)),
                "talk" => turns.push(self.talk(language, &mut dice)),
                _ => {
                    let turn = self.later_sum(language, &mut dice);
                    let answered = dice.percent(8).then(|| sums::answered(&turn.1, language == 1, &mut dice));
                    turns.push(turn);
                    turns.extend(answered);
                }
            }
        }
        let system = dice.percent(8).then(|| self.say(["system_en", "system_zh"][language], &mut dice));
        Conversation { kind: format!("{kind}-{}", LANGUAGES[language]), system, turns }
    }

    fn later_fact(&self, language: usize, dice: &mut Dice) -> (String, String) {
        let which = dice.below(self.facts.len());
        let fact = &self.facts[which];
        let said = match dice.below(100) {
            0..30 => dice.of(&fact.questions[language]).say(dice, &mut |slot, dice| self.fill(slot, dice)),
            30..55 => {
                let asked = &fact.asked[language];
                let to_do = dice.percent(60) && !asked.to_do.is_empty();
                let of = if to_do { &asked.to_do } else { &asked.things };
                let phrase = dice.of(of).say(dice, &mut |slot, dice| self.fill(slot, dice));
                self.asked_for(to_do, &phrase, language, dice)
            }
            _ => dice.of(&self.later.wordings[which][language]).say(dice, &mut |slot, dice| self.fill(slot, dice)),
        };
        let said = self.typed(&said, language, true, dice);
        let preface = if dice.percent(9) { self.preface(language, dice) } else { String::new() };
        (preface + &said, fact.answers[language].clone())
    }

    /// A phrase in a frame of the first legs or of the later ones; again the frame does not tell whether the answer is known.
    fn asked_for(&self, to_do: bool, phrase: &str, language: usize, dice: &mut Dice) -> String {
        if dice.percent(50) {
            return self.framed_ask(to_do, phrase, language, dice);
        }
        let list = [["ask_thing2_en", "ask_do2_en"], ["ask_thing2_zh", "ask_do2_zh"]][language][usize::from(to_do)];
        self.in_frame(list, if to_do { "do" } else { "thing" }, phrase, dice)
    }

    fn preface(&self, language: usize, dice: &mut Dice) -> String {
        self.say(["preface_en", "preface_zh"][language], dice) + [" ", ""][language]
    }

    fn later_unknown(&self, language: usize, dice: &mut Dice) -> (String, String) {
        let said = match dice.below(100) {
            0..30 => self.say(["unknown_en", "unknown_zh"][language], dice),
            30..60 => {
                let to_do = dice.percent(50);
                let names = [
                    [["thing_unknown_en", "do_unknown_en"], ["thing2_en", "do2_en"]],
                    [["thing_unknown_zh", "do_unknown_zh"], ["thing2_zh", "do2_zh"]],
                ][language][dice.below(2)];
                let phrase = self.say(names[usize::from(to_do)], dice);
                self.asked_for(to_do, &phrase, language, dice)
            }
            _ => self.say(["unknown2_en", "unknown2_zh"][language], dice),
        };
        let answer = self.say(["decline_en", "decline_zh"][language], dice);
        (self.typed(&said, language, true, dice), answer)
    }

    fn later_sum(&self, language: usize, dice: &mut Dice) -> (String, String) {
        if dice.percent(22) {
            return self.sum(language, dice);
        }
        if dice.percent(22) {
            return self.clock(language, dice);
        }
        let all = &self.later.sums[language];
        let which = if dice.percent(42) { dice.below(COMMON) } else { dice.below(all.len()) };
        let sum = &all[which];
        let figures = sums::Figures::draw(&sum.expression, language == 1, dice);
        let mut bound: HashMap<String, String> = HashMap::new();
        let story = !sum.stories.is_empty() && dice.percent(60);
        let pattern = if story { dice.of(&sum.stories) } else { &sum.phrases };
        let said = pattern.say(dice, &mut |slot, dice| match figures.said(slot) {
            Some(figure) => figure,
            None => bound.entry(slot.to_owned()).or_insert_with(|| self.fill(slot, dice)).clone(),
        });
        let said = match story {
            true => said,
            false => self.in_frame(["frame_sum_en", "frame_sum_zh"][language], "sum", &said, dice),
        };
        (self.typed(&said, language, true, dice), figures.call(&sum.expression))
    }

    fn clock(&self, language: usize, dice: &mut Dice) -> (String, String) {
        let place = dice.percent(60).then(|| dice.of(&self.places));
        let said = match place {
            None => self.say(["clock2_en", "clock2_zh"][language], dice),
            Some((en, zh, _)) => {
                self.in_frame(["clock_in_en", "clock_in_zh"][language], "place", [en, zh][language], dice)
            }
        };
        (self.typed(&said, language, place.is_none(), dice), sums::clock_call(place.map(|(_, _, iana)| iana.as_str())))
    }

    fn in_frame(&self, list: &str, name: &str, what: &str, dice: &mut Dice) -> String {
        let fill =
            &mut |slot: &str, dice: &mut Dice| if slot == name { what.to_owned() } else { self.fill(slot, dice) };
        self.lists.get(list).map_or_else(String::new, |frames| dice.of(frames).say(dice, fill))
    }

    /// A passage and up to five questions about it: reading it once teaches as many answers.
    fn scene(&self, language: usize, dice: &mut Dice) -> Vec<(String, String)> {
        if dice.percent(15) {
            return vec![self.extraction(language, dice)];
        }
        let fitting: Vec<&Scene> = self.later.scenes.iter().filter(|one| one.language == language).collect();
        loop {
            let scene = *dice.of(&fitting);
            let mut bound = HashMap::new();
            let passage = self.passage(scene, &mut bound, dice);
            let mut order: Vec<usize> = (0..scene.questions.len()).collect();
            dice.shuffle(&mut order);
            let (most, mut asked, mut turns) = (2 + dice.below(4), Vec::new(), Vec::new());
            for (slot, pattern) in order.into_iter().map(|at| &scene.questions[at]) {
                if turns.len() == most || !bound.contains_key(slot) || asked.contains(slot) {
                    continue;
                }
                let mut again = bound.clone();
                let question = pattern.say(dice, &mut |slot, dice| self.bind(slot, &mut again, dice));
                if again.len() > bound.len() {
                    continue;
                }
                asked.push(slot.clone());
                let question = self.typed(&question, language, true, dice);
                let question =
                    if turns.is_empty() { self.around(&passage, &question, language, dice) } else { question };
                turns.push((question, bound[slot].clone()));
            }
            if let Some((text, _)) = turns.first().cloned() {
                turns.iter_mut().for_each(|(_, value)| *value = as_it_stands(&text, value));
                return turns;
            }
        }
    }

    fn passage(&self, scene: &Scene, bound: &mut HashMap<String, String>, dice: &mut Dice) -> String {
        let mut order: Vec<usize> = (0..scene.clauses.len()).collect();
        dice.shuffle(&mut order);
        let count = if scene.form { 2 + dice.below(5) } else { *dice.of(&[0, 0, 1, 1, 1, 2, 2, 2, 3, 3]) };
        order.truncate(count);
        let mut parts: Vec<String> = Vec::new();
        if !scene.leads.is_empty() {
            parts.push(dice.of(&scene.leads).say(dice, &mut |slot, dice| self.bind_later(slot, bound, dice)));
        }
        for clause in order {
            parts.push(scene.clauses[clause].say(dice, &mut |slot, dice| self.bind_later(slot, bound, dice)));
        }
        if !scene.form && parts.len() > 1 && dice.percent(18) {
            parts.swap(0, 1);
        }
        let joins = match (scene.form, scene.language) {
            (true, 0) => ["\n", "; ", ", ", " | ", ". "],
            (true, _) => ["\n", "；", "，", "。", " "],
            (false, 0) => [" ", " ", " ", " ", "\n"],
            (false, _) => ["", "", "", "", "\n"],
        };
        let ends = if scene.form { ["", [".", "。"][scene.language]][dice.below(2)] } else { "" };
        parts.join(*dice.of(&joins)) + ends
    }

    /// As [`Writer::bind`], with values in more forms.
    fn bind_later(&self, slot: &str, bound: &mut HashMap<String, String>, dice: &mut Dice) -> String {
        match slot.split_once(':').and_then(|(name, kind)| Some((name, kind.split_once('_')?))) {
            Some((name, (kind @ ("party" | "date" | "amount"), language))) if dice.percent(MORE_FORMS) => {
                self.bind(&format!("{name}:{kind}2_{language}"), bound, dice)
            }
            _ => self.bind(slot, bound, dice),
        }
    }

    fn around(&self, passage: &str, question: &str, language: usize, dice: &mut Dice) -> String {
        let list = [["frame_en", "frame2_en"], ["frame_zh", "frame2_zh"]][language][usize::from(dice.percent(60))];
        let fill =
            &mut |slot: &str, _: &mut Dice| if slot == "passage" { passage.to_owned() } else { question.to_owned() };
        self.lists.get(list).map_or_else(String::new, |frames| dice.of(frames).say(dice, fill))
    }

    /// A question as it is typed. `rough` allows slips in its words.
    fn typed(&self, question: &str, language: usize, rough: bool, dice: &mut Dice) -> String {
        if dice.percent(FRAMED / 2) {
            return self.dressed(question, language, dice);
        }
        let mut said = question.to_owned();
        if dice.percent(25) {
            let before = self.say(["before3_en", "before3_zh"][language], dice);
            said = before + &said;
        }
        if rough {
            said = typing::roughen(&said, language == 1, dice);
        }
        let asks = said.ends_with(['?', '？', '.', '。', '=', '!', '！']);
        if !asks {
            said += &self.say(["after3_en", "after3_zh"][language], dice);
        }
        if language == 0 && dice.percent(55) { typing::capital(&said) } else { said }
    }
}

fn scenes(text: &str) -> Result<Vec<Scene>> {
    let mut all = Vec::new();
    for (group, lines) in sections(text, "@") {
        let (language, form) =
            group.split_once(' ').map_or((group, false), |(language, rest)| (language, rest == "form"));
        let language = LANGUAGES.iter().position(|one| *one == language).with_context(|| group.to_owned())?;
        let mut scene = Scene { language, form, leads: Vec::new(), clauses: Vec::new(), questions: Vec::new() };
        for line in lines {
            let read = |text: &str| Pattern::read(text).with_context(|| line.to_owned());
            match line.split_once(' ').with_context(|| line.to_owned())? {
                ("*", rest) => scene.leads.push(read(rest)?),
                ("-", rest) => scene.clauses.push(read(rest)?),
                (_, rest) => {
                    let (slot, question) = rest.split_once(' ').with_context(|| line.to_owned())?;
                    scene.questions.push((slot.to_owned(), read(question)?));
                }
            }
        }
        all.push(scene);
    }
    Ok(all)
}
