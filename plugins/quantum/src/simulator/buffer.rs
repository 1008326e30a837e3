//! Memory whose start lies on a cache line, so that no vector lies across two.

use std::marker::PhantomData;

use crate::simulator::Real;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Numbers, zero at first.
pub(crate) struct Buffer<T> {
    lines: Vec<Line>,
    length: usize,
    of: PhantomData<T>,
}

impl<T: Real> Buffer<T> {
    pub(crate) fn new(length: usize) -> Self {
        let lines = vec![Line([0; 64]); (length * size_of::<T>()).div_ceil(64)];
        Self { lines, length, of: PhantomData }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: the lines hold at least `length` numbers, aligned; all bits zero or written as numbers.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as above, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}
