//! What can be wrong with data.

use flow_plugin::artifact;

/// Data that cannot be used as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    Artifact(#[from] artifact::Error),
    /// The data are not what was asked for.
    #[error("{0}")]
    Data(String),
    /// The work was asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// The result of work on data.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn data(message: impl Into<String>) -> Self {
        Self::Data(message.into())
    }
}

/// Names as a list for messages.
pub(crate) fn list<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
