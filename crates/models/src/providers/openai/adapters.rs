//! vLLM's adapters at run time, as <https://docs.vllm.ai/en/latest/features/lora/> has them: two requests beside the dialect, which a vLLM answers
//! that was started with `--enable-lora` and the variable below.

use bytes::Bytes;
use domain::{ModelError, TimedOut};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::clocks::Clocks;
use super::super::wire::rejected;
use super::{OpenAi, fault};

const ALLOWED_BY: &str = "VLLM_ALLOW_RUNTIME_LORA_UPDATING";

impl OpenAi {
    /// Has it load the adapter that lies at `path` on its own disk.
    pub(crate) async fn load_adapter(&self, name: &str, path: &str) -> Result<(), ModelError> {
        self.change_adapters("load_lora_adapter", name, &json!({"lora_name": name, "lora_path": path})).await
    }

    /// Has it give an adapter up.
    pub(crate) async fn unload_adapter(&self, name: &str) -> Result<(), ModelError> {
        self.change_adapters("unload_lora_adapter", name, &json!({"lora_name": name})).await
    }

    async fn change_adapters(&self, act: &str, name: &str, body: &Value) -> Result<(), ModelError> {
        let clocks = Clocks::until(Instant::now() + self.timeouts.first_token, TimedOut::FirstToken);
        let base = self.endpoints(clocks.first_deadline()).await?.base.clone();
        let url = format!("{base}/{act}");
        let mut request = Request::new(Full::new(Bytes::from(body.to_string())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() =
            url.parse().map_err(|_| ModelError::Unreachable { url, reason: "it is not an address".to_owned() })?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = self.line.send(request, &clocks, &base).await?;
        match answer.status() {
            StatusCode::OK => Ok(()),
            StatusCode::NOT_FOUND if act.starts_with("load") => {
                let message = format!(
                    "{base} loads no adapters while it runs; start vLLM with --enable-lora and {ALLOWED_BY}=True"
                );
                Err(rejected("adapter_not_given", message))
            }
            _ => Err(fault::read(answer, &base, name).await),
        }
    }
}
