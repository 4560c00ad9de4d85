//! A worker's place among the back ends, and that of each of its adapters: the process behind it comes and goes, the place stays.

use std::sync::{Arc, PoisonError, RwLock};

use domain::{BoxFuture, ModelError, ModelProvider, Offered, Prompt, Reply};

use crate::providers::openai::OpenAi;

pub(super) struct Seat {
    model: String,
    taken: RwLock<Option<Taken>>,
}

#[derive(Clone)]
struct Taken {
    /// What the worker calls its model.
    name: String,
    adapter: Arc<OpenAi>,
}

impl Seat {
    pub(super) fn new(model: &str) -> Self {
        Seat { model: model.to_owned(), taken: RwLock::default() }
    }

    pub(super) fn take(&self, name: String, adapter: Arc<OpenAi>) {
        *self.taken.write().unwrap_or_else(PoisonError::into_inner) = Some(Taken { name, adapter });
    }

    pub(super) fn leave(&self) {
        *self.taken.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn taken(&self) -> Result<Taken, ModelError> {
        let taken = self.taken.read().unwrap_or_else(PoisonError::into_inner).clone();
        taken.ok_or_else(|| ModelError::Loading { model: self.model.clone(), retry_after: None })
    }
}

impl ModelProvider for Seat {
    fn open(&self, mut prompt: Prompt) -> BoxFuture<'_, Result<Reply, ModelError>> {
        Box::pin(async move {
            let taken = self.taken()?;
            prompt.model = taken.name;
            taken.adapter.open(prompt).await
        })
    }

    fn offered(&self) -> BoxFuture<'_, Result<Vec<Offered>, ModelError>> {
        Box::pin(async move { self.taken()?.adapter.offered().await })
    }
}

/// The place of one LoRA adapter at the same worker.
pub(super) struct AdapterSeat {
    seat: Arc<Seat>,
    adapter: String,
}

impl AdapterSeat {
    pub(super) fn new(seat: Arc<Seat>, adapter: &str) -> Self {
        AdapterSeat { seat, adapter: adapter.to_owned() }
    }
}

impl ModelProvider for AdapterSeat {
    fn open(&self, mut prompt: Prompt) -> BoxFuture<'_, Result<Reply, ModelError>> {
        Box::pin(async move {
            let taken = self.seat.taken()?;
            prompt.model = format!("{}:{}", taken.name, self.adapter);
            taken.adapter.open(prompt).await
        })
    }

    fn offered(&self) -> BoxFuture<'_, Result<Vec<Offered>, ModelError>> {
        self.seat.offered()
    }
}
