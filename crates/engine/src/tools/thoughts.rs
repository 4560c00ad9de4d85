//! What a model thinks before it answers, between `<think>` and `</think>` (Qwen 3, DeepSeek R1, GLM 4.5, Phi 4 reasoning) or `[THINK]` and
//! `[/THINK]` (Magistral). It parts an answer as it grows; a tag may come in pieces.

/// The tags that begin and end thinking.
const TAGS: &[(&str, &str)] = &[("<think>", "</think>"), ("[THINK]", "[/THINK]")];

/// See the module.
#[derive(Debug, Default)]
pub struct Thoughts {
    held: String,
    place: Place,
    /// Something was thought: what is blank before that belongs to nobody.
    begun: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Before,
    /// Until this tag.
    Inside(&'static str),
    /// The tag came, and with it line ends that belong to nobody.
    Behind,
    After,
}

impl Thoughts {
    /// Of an answer to `prompt`, which may have begun the thinking itself.
    pub fn after(prompt: &str) -> Self {
        let begun = TAGS.iter().find(|(begin, _)| prompt.trim_end().ends_with(begin));
        let place = begun.map_or(Place::Before, |(_, end)| Place::Inside(end));
        Thoughts { place, ..Thoughts::default() }
    }

    /// Takes more of the answer: what is certainly thought, and what is certainly not.
    pub fn push(&mut self, text: &str) -> (String, String) {
        self.held.push_str(text);
        let (mut thought, mut answer) = (String::new(), String::new());
        loop {
            match self.place {
                Place::Before => {
                    let rest = self.held.trim_start();
                    if let Some((begin, end)) = TAGS.iter().find(|(begin, _)| rest.starts_with(begin)) {
                        self.held = rest.get(begin.len()..).unwrap_or_default().to_owned();
                        self.place = Place::Inside(end);
                        continue;
                    }
                    if TAGS.iter().any(|(begin, _)| begin.starts_with(rest)) {
                        return (thought, answer);
                    }
                    self.place = Place::After;
                }
                Place::Inside(end) => {
                    if !self.begun {
                        self.held = self.held.trim_start().to_owned();
                    }
                    self.begun |= !self.held.is_empty();
                    let Some(at) = self.held.find(end) else {
                        // The blanks at its end may be those before the tag.
                        let sure = self.held.len() - super::beginning_at_end(&self.held, end);
                        let sure = self.held[..sure].trim_end().len();
                        thought.extend(self.held.drain(..sure));
                        return (thought, answer);
                    };
                    thought.push_str(self.held[..at].trim_end());
                    self.held.drain(..at + end.len());
                    self.place = Place::Behind;
                }
                Place::Behind => {
                    self.held = self.held.trim_start().to_owned();
                    if self.held.is_empty() {
                        return (thought, answer);
                    }
                    self.place = Place::After;
                }
                Place::After => {
                    answer.push_str(&std::mem::take(&mut self.held));
                    return (thought, answer);
                }
            }
        }
    }

    /// The answer is over: what was held back.
    pub fn finish(&mut self) -> (String, String) {
        let rest = std::mem::take(&mut self.held);
        match self.place {
            Place::Inside(_) => (rest.trim_end().to_owned(), String::new()),
            _ => (String::new(), rest),
        }
    }
}
