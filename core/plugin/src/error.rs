//! How an operation fails.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What sort of failure it was: it decides what the engine tells the user to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The inputs or parameters are wrong: running again will not help.
    BadInput,
    /// The computation itself failed.
    Failed,
    /// The engine asked the operation to stop, and it did.
    Cancelled,
}

/// A failed operation: one message for a person, its causes, and what to do about it.
///
/// Every `std::error::Error` converts into it, so `?` works on anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// What sort of failure it was.
    pub kind: ErrorKind,
    /// What went wrong, in one sentence.
    pub message: String,
    /// What caused it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What the user can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The computation failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Failed, message: message.into(), causes: Vec::new(), hint: None }
    }

    /// An input or a parameter is wrong.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::BadInput, ..Self::failed(message) }
    }

    /// The operation stopped because it was asked to.
    #[must_use]
    pub fn cancelled() -> Self {
        Self { kind: ErrorKind::Cancelled, ..Self::failed("cancelled") }
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts a message about the larger task in front; the present one becomes its first cause.
    #[must_use]
    pub fn context(mut self, message: impl Into<String>) -> Self {
        let inner = std::mem::replace(&mut self.message, message.into());
        self.causes.insert(0, inner);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut failed = Self::failed(error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            failed.causes.push(cause.to_string());
            source = cause.source();
        }
        failed
    }
}
