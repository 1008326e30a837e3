//! Chunks of an array, and where their values belong.

/// A part of a chunk, and its place among the rows that are read.
pub(super) struct Block<'a> {
    /// The lengths of a chunk.
    pub(super) chunk: &'a [usize],
    /// The lengths of what is read.
    pub(super) extent: &'a [usize],
    /// Where the part begins there.
    pub(super) start: Vec<usize>,
    /// The lengths of the part.
    pub(super) wanted: Vec<usize>,
    /// Bytes of an element.
    pub(super) size: usize,
}

impl Block<'_> {
    /// What lies in one run on both sides, in the order of the chunk: where it begins there, where among the rows,
    /// and its length, in bytes.
    pub(super) fn runs(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let Self { chunk, extent, start, wanted, size } = self;
        // Axes that are whole on both sides lie in one run with the one before them.
        let (mut last, mut unit) = (wanted.len() - 1, *size);
        while last > 0 && wanted[last] == chunk[last] && wanted[last] == extent[last] {
            unit *= wanted[last];
            last -= 1;
        }
        let lines = wanted[..last].iter().product::<usize>();
        (0..lines).map(move |line| {
            let (mut rest, mut source, mut target) = (line, 0, start[last]);
            let (mut source_stride, mut target_stride) = (chunk[last], extent[last]);
            for axis in (0..last).rev() {
                let at = rest % wanted[axis];
                rest /= wanted[axis];
                source += at * source_stride;
                target += (start[axis] + at) * target_stride;
                source_stride *= chunk[axis];
                target_stride *= extent[axis];
            }
            (source * unit, target * unit, wanted[last] * unit)
        })
    }
}
