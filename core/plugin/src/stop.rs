//! Asking a running operation to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type Hook = Box<dyn Fn() + Send>;

/// Whether an operation has been asked to stop, and what is to be done when it is. Clones are one and the same.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    asked: Arc<AtomicBool>,
    hook: Arc<Mutex<Option<Hook>>>,
}

/// What [`crate::Context::on_cancel`] gives: while it lives, the function is called.
#[must_use = "the function is forgotten as soon as this is dropped"]
pub struct OnCancel<'a>(&'a Stop);

impl Stop {
    pub(crate) fn of(asked: Arc<AtomicBool>) -> Self {
        Self { asked, hook: Arc::default() }
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        if let Some(hook) = self.hook.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            hook();
        }
    }

    pub(crate) fn on_ask(&self, hook: Hook) -> OnCancel<'_> {
        let mut slot = self.hook.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_asked() {
            hook();
        }
        *slot = Some(hook);
        OnCancel(self)
    }
}

impl Drop for OnCancel<'_> {
    fn drop(&mut self) {
        *self.0.hook.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
