//! Where training jobs of the portal keep their files. There is no `portico train` yet: the portal has jobs, but no trainer to give them to,
//! and says so.

use std::path::PathBuf;

use crate::config::Config;

/// Where the files of the jobs lie.
pub(crate) fn folder(config: &Config) -> PathBuf {
    let folder = config.data.join("training");
    std::path::absolute(&folder).unwrap_or(folder)
}
