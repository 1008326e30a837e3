//! Which code an input has reached, from the counters that the compiler puts into code for reports of coverage.
//!
//! They are there when the code under test was compiled with `-C instrument-coverage`, which `fuzz/instrument`
//! does for the crates that are fuzzed and no others. Without them every input looks alike, and fuzzing goes on
//! from the corpus alone.

/// What all inputs so far have reached.
#[derive(Default)]
pub(crate) struct Coverage {
    /// For each counter, the orders of magnitude it has had.
    seen: Vec<u16>,
    /// For each counter, what it came to over all inputs: what a report of coverage is to show.
    total: Vec<u64>,
}

/// What one input has reached.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reached {
    /// Some of it is new: code that was never reached, or a loop that went round many more times.
    pub(crate) new: bool,
    /// How much was counted: a measure of the time it took which is the same every time.
    pub(crate) cost: u64,
}

/// So many counters are looked at together: most are zero.
const TOGETHER: usize = 64;

impl Coverage {
    /// Forgets what was counted since the last input.
    pub(crate) fn forget() {
        counters().fill(0);
    }

    /// Takes over what the counters say of the input that was just run, and sets them back.
    pub(crate) fn take(&mut self) -> Reached {
        let counters = counters();
        self.seen.resize(counters.len(), 0);
        self.total.resize(counters.len(), 0);
        let mut reached = Reached::default();
        for (block, chunk) in counters.chunks_mut(TOGETHER).enumerate() {
            // Compared at once: this code has counters of its own.
            if *chunk == [0; TOGETHER][..chunk.len()] {
                continue;
            }
            for (at, counter) in chunk.iter_mut().enumerate() {
                if *counter == 0 {
                    continue;
                }
                let index = block * TOGETHER + at;
                // 1, 2, 3, 4…7, 8…15, 16…127, and more.
                let magnitude = match *counter {
                    1 => 1,
                    2 => 2,
                    3 => 4,
                    4..8 => 8,
                    8..16 => 16,
                    16..128 => 32,
                    _ => 64,
                };
                reached.new |= self.seen[index] & magnitude == 0;
                reached.cost += *counter;
                self.seen[index] |= magnitude;
                self.total[index] += *counter;
                *counter = 0;
            }
        }
        reached
    }

    /// How many counters have been reached, and how many there are.
    #[must_use]
    pub(crate) fn reached(&self) -> (usize, usize) {
        (self.seen.iter().filter(|seen| **seen > 0).count(), self.seen.len())
    }

    /// Puts the sums over all inputs into the counters, for the profile that is written when the process ends.
    pub(crate) fn restore(&self) {
        for (counter, total) in counters().iter_mut().zip(&self.total) {
            *counter += total;
        }
    }
}

#[cfg(instrumented)]
fn counters() -> &'static mut [u64] {
    unsafe extern "C" {
        fn __llvm_profile_begin_counters() -> *mut u64;
        fn __llvm_profile_end_counters() -> *mut u64;
    }
    // SAFETY: the two functions of the profiling runtime give the bounds of one static array of 64-bit counters,
    // aligned for them. The code that counts does so by plain additions, and only while an input runs, never
    // while the slice is used: targets leave no thread behind.
    unsafe {
        let (begin, end) = (__llvm_profile_begin_counters(), __llvm_profile_end_counters());
        let length = usize::try_from(end.offset_from(begin)).unwrap_or(0);
        std::slice::from_raw_parts_mut(begin, length)
    }
}

#[cfg(not(instrumented))]
fn counters() -> &'static mut [u64] {
    &mut []
}
