//! How often a key is used: so many requests in a minute that begins with its first one.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// The minute that runs.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<(Duration, u32)>);

impl Pace {
    /// One more at `now` (monotonic); where that is too many, how long until the next minute begins.
    pub(crate) fn take(&self, limit: u32, now: Duration) -> Result<(), Duration> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.1 == 0 || now >= minute.0 + MINUTE {
            *minute = (now, 0);
        }
        if minute.1 >= limit {
            return Err((minute.0 + MINUTE).saturating_sub(now));
        }
        minute.1 += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_begins_with_its_first_request() {
        let pace = Pace::default();
        let at = |seconds| pace.take(2, Duration::from_secs(seconds));
        assert_eq!(at(100), Ok(()));
        assert_eq!(at(130), Ok(()));
        assert_eq!(at(131), Err(Duration::from_secs(29)));
        assert_eq!(at(160), Ok(()));
        assert_eq!(at(161), Ok(()));
        assert_eq!(at(162), Err(Duration::from_secs(58)));
    }
}
