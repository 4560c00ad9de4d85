//! A model as clients name it: one deployment by its id, or an alias over several. What is asked of it is the router's.

use std::sync::Arc;

use domain::ModelState;

use super::balance::{Balancer, balancer};
use super::place::Place;
use super::queue::{Pass, Queue};
use super::room::Room;
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
    /// How many requests an alias has under way over all its deployments, where that is bounded.
    pub(super) room: Option<Arc<Room>>,
    pub(super) balancer: Arc<dyn Balancer>,
}

/// One deployment among those of a model.
pub(crate) struct Choice {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) weight: u32,
}

impl Model {
    /// A deployment by its own id.
    pub(crate) fn single(deployment: Arc<Deployment>) -> Model {
        let id = deployment.id.clone();
        let balancer = balancer(Balance::LeastBusy).into();
        Model { id, choices: vec![Choice { deployment, weight: 1 }], alias: None, room: None, balancer }
    }

    /// An alias over those of its targets that there are. What counts and goes on counting is taken over from the alias of this
    /// name that there was `before`.
    pub(crate) fn alias(
        config: AliasConfig,
        before: Option<&Model>,
        queue: &Arc<Queue>,
        known: impl Fn(&str) -> Option<Arc<Deployment>>,
    ) -> Model {
        let counted = config.targets.iter().filter(|target| target.weight > 0);
        let choices = counted
            .filter_map(|target| Some(Choice { deployment: known(&target.model)?, weight: target.weight }))
            .collect();
        let room = config.max_concurrent.map(|most| match before.and_then(|model| model.room.clone()) {
            Some(room) => {
                room.set_limit(Some(most));
                room
            }
            None => Room::new(Some(most), queue),
        });
        let same = before.filter(|model| model.alias.as_ref().is_some_and(|alias| alias.balance == config.balance));
        let balancer = same.map_or_else(|| balancer(config.balance).into(), |model| model.balancer.clone());
        Model { id: config.name.clone(), choices, alias: Some(config), room, balancer }
    }

    pub(super) fn fallbacks(&self) -> &[String] {
        self.alias.as_ref().map_or(&[], |alias| &alias.fallbacks)
    }

    /// Its name for people.
    pub(super) fn title(&self) -> &str {
        match (&self.alias, self.choices.first()) {
            (Some(alias), _) => alias.title.as_deref().unwrap_or(&self.id),
            (None, Some(choice)) => &choice.deployment.display_name,
            (None, None) => &self.id,
        }
    }

    pub(super) fn position(&self, deployment: &Deployment) -> Option<usize> {
        self.choices.iter().position(|choice| choice.deployment.id == deployment.id)
    }

    pub(super) fn rooms(&self, choices: &[usize]) -> Vec<Arc<Room>> {
        choices.iter().map(|at| self.choices[*at].deployment.room.clone()).collect()
    }

    /// The place that the queue gave.
    pub(super) fn place(&self, pass: Pass) -> Option<Place> {
        let room = pass.deployment.room();
        let choice = self.choices.iter().find(|choice| Arc::ptr_eq(&choice.deployment.room, room))?;
        Some(Place { deployment: choice.deployment.clone(), _pass: pass })
    }

    /// Its provider's slug, or that it is an alias.
    pub(crate) fn provider(&self) -> &str {
        match (&self.alias, self.choices.first()) {
            (None, Some(choice)) => &choice.deployment.provider,
            _ => ALIAS,
        }
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
            // Of an alias whose deployments are gone nobody can say that it does not.
            answers: views.is_empty() || views.iter().any(|view| view.answers),
            enabled: true,
            state: self.state(),
            created: views.iter().filter_map(|view| view.created).max(),
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
