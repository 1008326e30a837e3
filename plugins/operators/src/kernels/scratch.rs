//! Memory that is used again: working space of a thread, and buffers that go from step to step.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Mutex;

thread_local! {
    static SPACE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with arrays of the given lengths, whose content is arbitrary.
pub(crate) fn with_scratch<const N: usize, R>(
    lengths: [usize; N],
    work: impl FnOnce([&mut [f32]; N]) -> R,
) -> R {
    // The arrays are taken out while `work` runs, so that it may itself ask for scratch.
    let mut taken: [Vec<f32>; N] =
        SPACE.with_borrow_mut(|space| std::array::from_fn(|_| space.pop().unwrap_or_default()));
    for (array, length) in taken.iter_mut().zip(lengths) {
        if array.len() < length {
            array.resize(length, 0.0);
        }
    }
    let mut index = 0;
    let result = work(taken.each_mut().map(|array| {
        index += 1;
        &mut array[..lengths[index - 1]]
    }));
    SPACE.with_borrow_mut(|space| space.extend(taken.into_iter().rev()));
    result
}

/// Buffers of equal length kept at most; more are given back to the allocator.
const KEPT: usize = 64;

static BUFFERS: Mutex<BTreeMap<usize, Vec<Vec<f32>>>> = Mutex::new(BTreeMap::new());

/// A buffer of `length` numbers with arbitrary content, an old one if there is one: fresh memory
/// costs a page fault every 4 KiB, which can double the time of a training step.
pub(crate) fn take_buffer(length: usize) -> Vec<f32> {
    let kept = lock().get_mut(&length).and_then(Vec::pop);
    kept.unwrap_or_else(|| vec![0.0; length])
}

/// Keeps a buffer for [`take_buffer`].
pub(crate) fn give_buffer(buffer: Vec<f32>) {
    if buffer.is_empty() {
        return;
    }
    let mut buffers = lock();
    let equal = buffers.entry(buffer.len()).or_default();
    if equal.len() < KEPT {
        equal.push(buffer);
    }
}

/// Gives all kept buffers back to the allocator.
pub fn release_buffers() {
    lock().clear();
}

fn lock() -> std::sync::MutexGuard<'static, BTreeMap<usize, Vec<Vec<f32>>>> {
    // A panic elsewhere cannot leave the map half-changed: its methods do not panic.
    BUFFERS.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
