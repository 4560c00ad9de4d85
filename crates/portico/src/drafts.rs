//! What a model of the configuration is run with beside its own file: its draft model and its adapters, and what is wrong with them. The
//! worker would say the same, later.

use std::path::PathBuf;

use engine::gguf;

use crate::config::{Config, Draft, LocalModel};

/// The file of the model that guesses ahead for `model`; a sentence where its name is not in the library.
pub(crate) fn file(config: &Config, model: &LocalModel) -> Result<Option<PathBuf>, String> {
    let name = match &model.draft {
        None => return Ok(None),
        Some(Draft::File(file)) => return Ok(Some(file.clone())),
        Some(Draft::Library(name)) => name,
    };
    let file = crate::library::folder(config).join(format!("{name}.gguf"));
    if file.is_file() {
        return Ok(Some(file));
    }
    Err(format!("the draft of {} is {name}, and the library has no model of that name", model.name))
}

/// A sentence for each draft and adapter of the configuration that is missing, or not for its model.
pub(crate) fn mistakes(config: &Config) -> Vec<String> {
    config.models.iter().flat_map(|model| mistakes_of(config, model)).collect()
}

fn mistakes_of(config: &Config, model: &LocalModel) -> Vec<String> {
    let mut wrong = Vec::new();
    match file(config, model) {
        Ok(Some(file)) => {
            wrong.extend(gguf::read(&file).err().map(|why| format!("the draft of {}: {why}", model.name)))
        }
        Ok(None) => {}
        Err(why) => wrong.push(why),
    }
    if model.adapters.is_empty() {
        return wrong;
    }
    let heads = match gguf::read(&model.path) {
        Ok(heads) => heads,
        Err(why) => return vec![format!("the model {}: {why}", model.name)],
    };
    for adapter in &model.adapters {
        if let Err(why) = gguf::read_adapter(&adapter.path, &heads) {
            wrong.push(format!("the adapter {} of {}: {} {why}", adapter.name, model.name, adapter.path.display()));
        }
    }
    wrong
}
