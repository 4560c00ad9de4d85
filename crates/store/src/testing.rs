//! What tests of other crates need from here: a disk that fills on command.

use sqlx::Executor;

use crate::{Error, Store};

impl Store {
    /// SQLite only: `true` leaves no page to grow into, as a full disk does; `false` gives the space back.
    pub async fn fill_disk(&self, full: bool) -> Result<(), Error> {
        let pages = if full { "PRAGMA max_page_count = 1" } else { "PRAGMA max_page_count = 4294967294" };
        let Some(mut writing) = self.inner.database.direct_connection().await? else { return Ok(()) };
        writing.any.execute(pages).await?;
        if let Some(direct) = &mut *writing.direct {
            direct.execute(pages).await?;
        }
        Ok(())
    }
}
