//! A model as clients name it: one deployment by its id, or an alias over several. What is asked of it is the router's.

use std::sync::Arc;

use domain::ModelState;

use crate::models::{Deployment, ModelView};
use crate::{AliasConfig, Balance};

/// One name, and who answers for it.
pub(crate) struct Model {
    /// What a request names it by.
    pub(crate) id: String,
    /// The deployments that answer for it. An alias may have none: its providers are gone or switched off.
    pub(crate) choices: Vec<Choice>,
    /// What is configured, where it is an alias.
    pub(crate) alias: Option<AliasConfig>,
}

/// One deployment among those of a model.
pub(crate) struct Choice {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) weight: u32,
}

impl Model {
    /// A deployment by its own id.
    pub(crate) fn single(deployment: Arc<Deployment>) -> Model {
        Model { id: deployment.id.clone(), choices: vec![Choice { deployment, weight: 1 }], alias: None }
    }

    /// An alias over those of its targets that there are.
    pub(crate) fn alias(config: AliasConfig, known: impl Fn(&str) -> Option<Arc<Deployment>>) -> Model {
        let counted = config.targets.iter().filter(|target| target.weight > 0);
        let choices = counted
            .filter_map(|target| Some(Choice { deployment: known(&target.model)?, weight: target.weight }))
            .collect();
        Model { id: config.name.clone(), choices, alias: Some(config) }
    }

    pub(crate) fn balance(&self) -> Balance {
        self.alias.as_ref().map(|alias| alias.balance).unwrap_or_default()
    }

    pub(crate) fn fallbacks(&self) -> &[String] {
        self.alias.as_ref().map_or(&[], |alias| &alias.fallbacks)
    }

    /// Where it stands: the best of its deployments.
    pub(crate) fn state(&self) -> ModelState {
        let states = self.choices.iter().map(|choice| choice.deployment.state());
        states.min_by_key(rank).unwrap_or_else(|| ModelState::Failed {
            code: "model_not_found".to_owned(),
            message: format!("none of the models behind {} is configured and switched on", self.id),
        })
    }

    pub(crate) fn view(&self) -> ModelView {
        let Some(alias) = &self.alias else { return self.choices[0].deployment.view() };
        let views: Vec<ModelView> = self.choices.iter().map(|choice| choice.deployment.view()).collect();
        let mut providers: Vec<&str> = views.iter().map(|view| view.provider_name.as_str()).collect();
        providers.dedup();
        ModelView {
            id: self.id.clone(),
            name: alias.title.clone().unwrap_or_else(|| self.id.clone()),
            provider: ALIAS.to_owned(),
            provider_name: providers.join(", "),
            local: !views.is_empty() && views.iter().all(|view| view.local),
            // The shortest: whichever answers must be able to.
            context: views.iter().filter_map(|view| view.context).min(),
            modalities: shared(&views),
            chat_template: views.iter().find_map(|view| view.chat_template),
            enabled: true,
            state: self.state(),
            alias: true,
            targets: alias.targets.iter().map(|target| target.model.clone()).collect(),
        }
    }
}

/// What all of them take.
fn shared(views: &[ModelView]) -> Vec<String> {
    let Some(first) = views.first() else { return Vec::new() };
    let every = |word: &&String| views.iter().all(|view| view.modalities.contains(word));
    first.modalities.iter().filter(every).cloned().collect()
}

/// Stands where a deployment has its provider's slug.
const ALIAS: &str = "alias";

/// How near a state is to answering; 0 answers.
fn rank(state: &ModelState) -> u8 {
    match state {
        ModelState::Ready => 0,
        ModelState::Warming => 1,
        ModelState::Loading { .. } => 2,
        ModelState::Cold => 3,
        ModelState::Failed { .. } => 4,
    }
}
