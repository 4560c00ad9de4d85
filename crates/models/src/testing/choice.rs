//! The router's choice alone, for whoever measures what it costs.

use domain::{Caller, ModelError, Prompt};

use crate::router::Asked;
use crate::{Errand, Models};

impl Models {
    /// Chooses a deployment for this prompt and takes a place there, as [`Models::open`] does, and gives the place back: which
    /// deployment it was.
    pub async fn choose(&self, caller: &Caller, errand: Errand, prompt: &Prompt) -> Result<String, ModelError> {
        let snapshot = self.snapshot();
        let Some(model) = snapshot.model(&prompt.model) else {
            return Err(ModelError::NoSuchModel { url: String::new(), model: prompt.model.clone() });
        };
        self.router(&snapshot).choose(model, &Asked { caller, errand, prompt }).await
    }
}
