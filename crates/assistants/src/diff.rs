//! What differs between two versions of an assistant, field by field and as text: a page marks the words.

use std::fmt::Write as _;

use domain::Sampling;

use crate::Unit;

/// A field that two versions do not agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The field's name in the unit.
    pub field: &'static str,
    pub before: String,
    pub after: String,
}

/// In the order of the unit's fields; empty where the two say the same.
pub fn differences(before: &Unit, after: &Unit) -> Vec<Difference> {
    let sides = texts(before).into_iter().zip(texts(after));
    let differing = sides.filter(|((_, before), (_, after))| before != after);
    differing.map(|((field, before), (_, after))| Difference { field, before, after }).collect()
}

fn texts(unit: &Unit) -> [(&'static str, String); 9] {
    let variables = unit.variables.iter().map(|one| format!("{} = {}", one.name, one.value));
    [
        ("name", unit.name.clone()),
        ("avatar", format!("{} {}", unit.avatar.icon, unit.avatar.hue)),
        ("summary", unit.summary.clone()),
        ("prompt", unit.prompt.clone()),
        ("variables", variables.collect::<Vec<_>>().join("\n")),
        ("questions", unit.questions.join("\n")),
        ("model", unit.model.clone().unwrap_or_default()),
        ("sampling", sampling(&unit.sampling)),
        ("plugins", unit.plugins.join("\n")),
    ]
}

fn sampling(sampling: &Sampling) -> String {
    let mut lines = String::new();
    let decimals = [
        ("temperature", sampling.temperature),
        ("top_p", sampling.top_p),
        ("min_p", sampling.min_p),
        ("frequency_penalty", sampling.frequency_penalty),
        ("presence_penalty", sampling.presence_penalty),
    ];
    for (name, value) in decimals.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        let _ = writeln!(lines, "{name} = {value}");
    }
    let wholes = [
        ("top_k", sampling.top_k.map(u64::from)),
        ("seed", sampling.seed),
        ("max_tokens", sampling.max_tokens.map(u64::from)),
    ];
    for (name, value) in wholes.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        let _ = writeln!(lines, "{name} = {value}");
    }
    for stop in &sampling.stop {
        let _ = writeln!(lines, "stop = {stop:?}");
    }
    lines.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Variable;

    #[test]
    fn only_what_differs_is_told_and_as_text() {
        let before = Unit { name: "Clerk".into(), prompt: "Be brief.".into(), ..Unit::default() };
        assert_eq!(differences(&before, &before), []);
        let mut after = before.clone();
        after.prompt = "Be kind.".into();
        after.sampling =
            Sampling { temperature: Some(0.3), max_tokens: Some(500), stop: vec!["\n".into()], ..Sampling::default() };
        after.variables = vec![Variable { name: "court".into(), value: "海淀".into() }];
        let told: Vec<(&str, String, String)> =
            differences(&before, &after).into_iter().map(|one| (one.field, one.before, one.after)).collect();
        let wanted = [
            ("prompt", "Be brief.", "Be kind."),
            ("variables", "", "court = 海淀"),
            ("sampling", "", "temperature = 0.3\nmax_tokens = 500\nstop = \"\\n\""),
        ];
        assert_eq!(told, wanted.map(|(field, before, after)| (field, before.to_owned(), after.to_owned())));
    }
}
