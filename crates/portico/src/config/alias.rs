//! The sections `[[alias]]`: names for deployments, and which of them hold in this environment. Whether a model is there is not
//! asked here: providers come and go while the portal runs.

use std::collections::HashSet;

use models::{AliasConfig, Balance, Target};

use super::mistake::Mistake;
use super::reader::{Reader, small};
use super::source::{Found, Item, Section, Wrong};
use super::suggest::nearest;

/// A weight is a share beside others, not a count of anything.
const WEIGHTS: std::ops::RangeInclusive<u64> = 0..=1_000;

/// An alias, and the environment it is meant for.
struct Meant {
    environment: Option<String>,
    config: AliasConfig,
}

/// The aliases that hold where `environment` is set: those that name it, and those that name none and are not named again.
pub(super) fn aliases<'a>(
    reader: &Reader<'_, 'a>,
    root: &Section<'_, 'a>,
    environment: Option<&str>,
) -> Vec<AliasConfig> {
    let mut seen = HashSet::new();
    let sections = root.sections("alias");
    let mut meant: Vec<Meant> =
        sections.iter().filter_map(|section| alias(reader, section, environment, &mut seen)).collect();
    meant.retain(|alias| alias.environment.is_none() || alias.environment.as_deref() == environment);
    let special: HashSet<String> =
        meant.iter().filter(|alias| alias.environment.is_some()).map(|alias| alias.config.name.clone()).collect();
    meant.retain(|alias| alias.environment.is_some() || !special.contains(&alias.config.name));
    let held: Vec<AliasConfig> = meant.into_iter().map(|alias| alias.config).collect();
    one_for_all(reader, root, &held);
    held
}

fn alias<'a>(
    reader: &Reader<'_, 'a>,
    section: &Section<'_, 'a>,
    environment: Option<&str>,
    seen: &mut HashSet<(Option<String>, String)>,
) -> Option<Meant> {
    let name = section.required("name", "what a request asks for, as in name = \"main\"");
    let only_in = section.text("environment");
    if let (Some(only_in), None) = (&only_in, environment) {
        let sentence = "this alias names an environment, but nothing says which one this is".to_owned();
        let hint =
            format!("write environment = \"{}\" at the top of the file, or set PORTICO_ENVIRONMENT", only_in.value);
        reader.source.mistake(Mistake::new(only_in.place.clone(), sentence).hint(hint));
    }
    let title = section.text("title").map(|title| title.value);
    let targets = targets(reader, section);
    let balance = section.text("balance").and_then(|word| word.parse(reader.source, |word| balance(&word)));
    let fallbacks = section.texts("fallbacks");
    let max_concurrent = small(section.number("max_concurrent", 1..=65_536));
    let catch_all = section.flag("catch_all").unwrap_or(false);
    let name = name?.parse_found(reader.source, |name| named(&name))?;
    let environment = only_in.map(|only_in| only_in.value);
    if !seen.insert((environment.clone(), name.value.clone())) {
        let sentence = format!("there is already an alias called `{}`", name.value);
        let hint = "give each a name of its own, or an environment of its own";
        reader.source.mistake(Mistake::new(name.place, sentence).hint(hint));
        return None;
    }
    let own = name.value.clone();
    let fallbacks = reader.each(fallbacks, |model| match model == own {
        true => Err(Wrong::new(format!("`{model}` cannot fall back to itself"))),
        false => Ok(model),
    });
    let config = AliasConfig {
        name: name.value,
        title,
        targets,
        balance: balance.unwrap_or_default(),
        fallbacks,
        max_concurrent,
        catch_all,
    };
    Some(Meant { environment, config })
}

/// `targets = ["ollama/llama3", { model = "vllm/x", weight = 3 }]`
fn targets<'a>(reader: &Reader<'_, 'a>, alias: &Section<'_, 'a>) -> Vec<Target> {
    let wanted = "a list of models, as in [\"ollama/llama3\", { model = \"vllm/x\", weight = 3 }]";
    let mut seen = HashSet::new();
    let mut targets = Vec::new();
    for item in alias.items("targets", wanted) {
        let (model, weight) = match item {
            Item::Text(model) => (Some(model), None),
            Item::Section(target) => (
                target.required("model", "a model's full name, `provider/name`"),
                small(target.number("weight", WEIGHTS)),
            ),
        };
        let Some(model) = model.and_then(|model| model.parse_found(reader.source, |model| full_name(&model))) else {
            continue;
        };
        if !seen.insert(model.value.clone()) {
            let sentence = format!("`{}` is a target already", model.value);
            reader.source.mistake(Mistake::new(model.place, sentence).hint("give it a larger weight instead"));
            continue;
        }
        targets.push(Target { model: model.value, weight: weight.unwrap_or(1) });
    }
    targets
}

fn one_for_all(reader: &Reader<'_, '_>, root: &Section<'_, '_>, held: &[AliasConfig]) {
    let mut all = held.iter().filter(|alias| alias.catch_all);
    let (Some(first), Some(second)) = (all.next(), all.next()) else { return };
    let sections = root.sections("alias");
    let place = sections.iter().filter_map(|section| section.text("name")).rfind(|name| name.value == second.name);
    let Some(Found { place, .. }) = place else { return };
    let sentence = format!("`{}` and `{}` both answer for every model that nobody knows", first.name, second.name);
    reader.source.mistake(Mistake::new(place, sentence).hint("leave `catch_all` with one of them"));
}

fn named(name: &str) -> Result<String, Wrong> {
    match name {
        "" => Err(Wrong::new("the name of an alias cannot be empty")),
        name if name.trim() != name || name.contains(char::is_control) => {
            Err(Wrong::new(format!("`{name}` cannot be the name of an alias")).hint("no space before or after it"))
        }
        name => Ok(name.to_owned()),
    }
}

fn full_name(model: &str) -> Result<String, Wrong> {
    match model.split_once('/') {
        Some((provider, name)) if !provider.is_empty() && !name.is_empty() => Ok(model.to_owned()),
        _ => Err(Wrong::new(format!("`{model}` is not a model's full name"))
            .hint("as in \"ollama/llama3\": the provider's slug, a slash, the model; models of this machine begin with local/")),
    }
}

fn balance(word: &str) -> Result<Balance, Wrong> {
    let words = Balance::ALL.map(Balance::as_str);
    Balance::ALL.into_iter().find(|balance| balance.as_str() == word).ok_or_else(|| {
        let wrong = Wrong::new(format!("`{word}` is not one of {}", words.join(", ")));
        match nearest(word, words) {
            Some(meant) => wrong.hint(format!("did you mean `{meant}`?")),
            None => wrong,
        }
    })
}
