//! Writing from several threads into separate parts of one array.

use std::marker::PhantomData;
use std::ops::Range;

/// An array of which each thread writes its own parts.
#[derive(Clone, Copy)]
pub(crate) struct Disjoint<'a> {
    start: *mut f32,
    len: usize,
    life: PhantomData<&'a mut [f32]>,
}

// SAFETY: the array is exclusively borrowed for 'a, and `part` makes its caller promise that no
// two parts in use at once overlap.
unsafe impl Send for Disjoint<'_> {}
// SAFETY: as above.
unsafe impl Sync for Disjoint<'_> {}

impl<'a> Disjoint<'a> {
    pub(crate) fn new(array: &'a mut [f32]) -> Self {
        Self { start: array.as_mut_ptr(), len: array.len(), life: PhantomData }
    }

    /// The part `range`.
    ///
    /// # Safety
    /// No other part that overlaps it may be in use.
    ///
    /// # Panics
    /// When the range is not inside the array.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn part(&self, range: Range<usize>) -> &'a mut [f32] {
        assert!(range.start <= range.end && range.end <= self.len, "part outside the array");
        // SAFETY: inside the array by the check, unshared by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}
