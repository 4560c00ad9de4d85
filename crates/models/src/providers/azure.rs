//! Azure OpenAI: the OpenAI dialect under Azure's addresses and with Azure's credential. Reading an answer is `openai`'s work; here
//! is where to ask and as whom.
//!
//! Two forms of address are in use. The versioned one names the deployment in the path and the version in the query:
//! `{endpoint}/openai/deployments/{deployment}/chat/completions?api-version={version}`. The v1 form, since August 2025, is the
//! dialect's own: `{endpoint}/openai/v1/chat/completions`, the deployment as `model`. In both a key can list what the resource
//! may deploy, never what is deployed: deployments come from the configuration.
//! Source: Azure OpenAI in Azure AI Foundry Models, REST API reference and API version lifecycle.

use std::sync::Arc;

use domain::{BoxFuture, ModelError, ModelProvider, Offered, Prompt, Reply, Task};
use egress::Egress;
use http::Uri;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::openai::{self, Base, OpenAi};
use super::wire::{Line, secret};
use crate::{Key, ProviderConfig, Timeouts};

/// Its name in the configuration.
pub(crate) const KIND: &str = "azure";

/// One resource.
pub(crate) struct Azure {
    dialect: OpenAi,
    place: Place,
    deployments: Vec<String>,
}

impl Azure {
    /// The resource of this configuration.
    pub(crate) fn configured(
        egress: Arc<Egress>,
        config: &ProviderConfig,
        timeouts: Timeouts,
    ) -> Result<Azure, String> {
        let Some(models) = &config.models else {
            return Err("name its deployments as models: Azure tells nobody by key which there are".to_owned());
        };
        let place = Place::read(&config.base_url)?;
        let line = Line::new(egress, credential(config.key.as_ref())?.into_iter().collect());
        let dialect = OpenAi::over(line, Base::read(&place.dialect_base())?, timeouts);
        Ok(Azure { dialect, place, deployments: models.iter().map(|model| model.name.clone()).collect() })
    }

    async fn ask(&self, prompt: Prompt) -> Result<Reply, ModelError> {
        let Some(version) = &self.place.version else { return self.dialect.open(prompt).await };
        let path = match prompt.task {
            Task::Chat => "chat/completions",
            Task::Completion => "completions",
            Task::Embeddings => "embeddings",
            Task::Transcription => "audio/transcriptions",
            Task::Translation => "audio/translations",
            Task::Speech => "audio/speech",
            Task::Image => "images/generations",
            Task::Rerank => return Err(openai::unsupported(prompt.task)),
        };
        let deployment = segment(&prompt.model);
        let uri = self.uri(&format!("openai/deployments/{deployment}/{path}?api-version={version}"))?;
        self.dialect.open_at(&uri, prompt).await
    }

    /// What the resource may deploy is asked for, as proof that it is there and takes the key; what it offers is what is
    /// configured.
    async fn list(&self) -> Result<Vec<Offered>, ModelError> {
        let uri = match &self.place.version {
            Some(version) => self.uri(&format!("openai/models?api-version={version}"))?,
            None => self.uri("openai/v1/models")?,
        };
        let base_models = self.dialect.list_at(&uri).await?;
        let known = |name: &String| base_models.iter().find(|model| model.name == *name).cloned();
        Ok(self.deployments.iter().map(|name| known(name).unwrap_or_else(|| Offered::named(name))).collect())
    }

    fn uri(&self, rest: &str) -> Result<Uri, ModelError> {
        let url = format!("{}/{rest}", self.place.endpoint);
        url.parse().map_err(|_| ModelError::Unreachable { url, reason: "it is not an address".to_owned() })
    }
}

impl ModelProvider for Azure {
    fn open(&self, prompt: Prompt) -> BoxFuture<'_, Result<Reply, ModelError>> {
        Box::pin(self.ask(prompt))
    }

    fn offered(&self) -> BoxFuture<'_, Result<Vec<Offered>, ModelError>> {
        Box::pin(self.list())
    }
}

/// A token of Microsoft Entra ID is a JWT; a resource's own key has no dots in it.
fn credential(key: Option<&Key>) -> Result<Option<(HeaderName, HeaderValue)>, String> {
    let is_token = |text: &str| text.starts_with("eyJ") && text.matches('.').count() == 2;
    if key.is_some_and(|key| is_token(key.reveal())) {
        return secret(AUTHORIZATION, "Bearer ", key);
    }
    secret(HeaderName::from_static("api-key"), "", key)
}

/// A deployment's name as one segment of a path.
fn segment(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Where a resource is, read from whatever was copied from the Azure portal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// `https://NAME.openai.azure.com`, without a slash at the end.
    endpoint: String,
    /// `api-version` of the versioned form; `None` is the v1 form.
    version: Option<String>,
}

impl Place {
    /// Takes the endpoint alone (the v1 form), `…/openai/v1`, an endpoint with `?api-version=…`, and the full "target URI" of a
    /// deployment.
    pub(crate) fn read(text: &str) -> Result<Place, String> {
        let text = text.trim();
        let uri: Uri = text.parse().map_err(|_| format!("{text:?} is not an address"))?;
        egress::Origin::of(&uri).map_err(|error| error.to_string())?;
        let version = match uri.query() {
            None => None,
            Some(query) => {
                let given = query.split('&').find_map(|pair| pair.strip_prefix("api-version="));
                let given = given.ok_or_else(|| format!("{query:?} is no api-version=…; nothing else is kept"))?;
                Some(given).filter(|given| !given.is_empty())
            }
        };
        let sound = |version: &str| version.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if let Some(odd) = version.filter(|version| !sound(version)) {
            return Err(format!("{odd:?} is no api-version; it looks like 2024-10-21"));
        }
        let whole = text.split('?').next().unwrap_or_default();
        let (endpoint, v1) = match whole.find("/openai") {
            Some(at) => (&whole[..at], whole[at..].starts_with("/openai/v1")),
            None => (whole, false),
        };
        // `preview` and `latest` are versions of the v1 form, where they may be left out.
        let version = version.filter(|version| !v1 && !matches!(*version, "preview" | "latest"));
        Ok(Place { endpoint: endpoint.trim_end_matches('/').to_owned(), version: version.map(str::to_owned) })
    }

    /// As it is kept.
    pub(crate) fn shown(&self) -> String {
        match &self.version {
            Some(version) => format!("{}/openai?api-version={version}", self.endpoint),
            None => format!("{}/openai/v1", self.endpoint),
        }
    }

    fn dialect_base(&self) -> String {
        match &self.version {
            Some(_) => format!("{}/openai", self.endpoint),
            None => format!("{}/openai/v1", self.endpoint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_copied_from_the_azure_portal_is_read() {
        let kept = |text: &str| Place::read(text).map(|place| place.shown());
        let v1 = Ok("https://acme.openai.azure.com/openai/v1".to_owned());
        for text in [
            "https://acme.openai.azure.com",
            "https://acme.openai.azure.com/",
            "https://acme.openai.azure.com/openai/v1/",
            "https://acme.openai.azure.com/openai/v1/chat/completions",
            "https://acme.openai.azure.com/openai/v1?api-version=preview",
        ] {
            assert_eq!(kept(text), v1, "{text}");
        }
        let versioned = Ok("https://acme.openai.azure.com/openai?api-version=2024-10-21".to_owned());
        for text in [
            "https://acme.openai.azure.com?api-version=2024-10-21",
            "https://acme.openai.azure.com/openai?api-version=2024-10-21",
            "https://acme.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        ] {
            assert_eq!(kept(text), versioned, "{text}");
        }
        assert!(kept("acme").is_err());
        assert!(kept("https://acme.openai.azure.com?key=1").is_err());
        assert!(kept("https://acme.openai.azure.com?api-version=../x").is_err());
    }

    #[test]
    fn a_deployment_is_one_segment_of_the_path() {
        assert_eq!(segment("gpt-4o_eu.1"), "gpt-4o_eu.1");
        assert_eq!(segment("a/b 模"), "a%2Fb%20%E6%A8%A1");
    }
}
