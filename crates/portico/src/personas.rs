//! The library of assistants of this installation: those of the binary, and those of `personas/` in the data folder.

use assistants::Library;

use crate::config::Config;

fn read(config: &Config) -> (Library, Vec<String>) {
    Library::open(&config.data.join("personas"))
}

/// The library; a file that cannot be read is left out, and the log says why.
pub(crate) fn open(config: &Config) -> Library {
    let (library, mistakes) = read(config);
    for mistake in mistakes {
        tracing::error!(mistake, "a persona is left out of the library");
    }
    library
}

/// A sentence for each file that would be left out.
pub(crate) fn mistakes(config: &Config) -> Vec<String> {
    read(config).1
}
