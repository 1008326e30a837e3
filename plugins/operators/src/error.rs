//! What can go wrong.

/// A failure of this library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is wrong or does not fit the data.
    #[error("{0}")]
    Config(String),
    /// The data, a model or a checkpoint is wrong.
    #[error("{0}")]
    Data(String),
    /// The data cannot be read.
    #[error("{0}")]
    Read(String),
    /// A checkpoint cannot be written.
    #[error("cannot save a checkpoint: {0}")]
    Checkpoint(String),
    /// The loss is not a finite number any more.
    #[error(
        "the loss became {loss} in epoch {epoch}; a smaller `learning_rate` or a longer `warmup` may help"
    )]
    Diverged {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The loss.
        loss: f64,
    },
    /// The work was asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::Config(message.into())
    }

    pub(crate) fn data(message: impl Into<String>) -> Self {
        Self::Data(message.into())
    }
}

/// What the library's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
