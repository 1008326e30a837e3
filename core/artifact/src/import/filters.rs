//! Filters of HDF5 that are no part of it: those that h5py, netCDF4 and hdf5plugin bring along.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use hdf5_reader::error::Error;
use hdf5_reader::{Dataset, FilterRegistry};

use super::codec::{Codec, cut, damaged, unpack, unshuffle, within};

/// By number, as the HDF Group registers them.
const DEFLATE: u16 = 1;
const SHUFFLE: u16 = 2;
const LZF: u16 = 32000;
const BLOSC: u16 = 32001;
const ZSTD: u16 = 32015;

/// Names of others.
const OTHERS: [(&str, &str); 9] = [
    ("307", "bzip2"),
    ("32003", "snappy"),
    ("32008", "bitshuffle"),
    ("32013", "zfp"),
    ("32017", "sz"),
    ("32019", "fcidecomp"),
    ("32022", "granular bit round"),
    ("32023", "quantise"),
    ("32026", "Blosc 2"),
];

/// Undoes a filter: some bytes, and how many there may be.
type Undo = fn(&[u8], usize) -> std::io::Result<Vec<u8>>;

/// What is needed to undo the filters of one file.
#[derive(Default)]
pub(super) struct Filters {
    /// No chunk has more bytes.
    largest: Arc<AtomicUsize>,
}

impl Filters {
    /// HDF5's own filters, LZ4, and these, of which two stand for HDF5's: they take half of the time.
    pub(super) fn registry(&self) -> FilterRegistry {
        let mut registry = FilterRegistry::new();
        let all: [(u16, Undo); 4] = [
            (DEFLATE, |bytes, limit| unpack(Codec::Zlib, bytes, limit)),
            (LZF, lzf),
            (BLOSC, |bytes, limit| unpack(Codec::Blosc, bytes, limit)),
            (ZSTD, |bytes, limit| unpack(Codec::Zstd, bytes, limit)),
        ];
        for (number, undo) in all {
            let largest = self.largest.clone();
            registry.register(number, Box::new(move |_, bytes, _| Ok(undo(bytes, largest.load(Relaxed))?)));
        }
        registry.register(SHUFFLE, Box::new(|_, bytes, size| Ok(unshuffle(bytes, size))));
        registry
    }

    /// Chunks of this dataset will be unpacked.
    pub(super) fn expect(&self, data: &Dataset) {
        let size = data.raw_element_size().unwrap_or(0);
        let lengths = data.chunks().unwrap_or_default();
        let bytes = lengths.iter().fold(size, |all, n| all.saturating_mul(*n as usize));
        // A checksum may come behind the values before they are packed, and what is packed twice may be longer.
        self.largest.fetch_max(bytes.saturating_add(bytes / 64 + 64), Relaxed);
    }
}

/// What to say of an array whose filters cannot be undone, as the end of a sentence.
pub(super) fn problem(error: &Error) -> Option<String> {
    let Error::UnsupportedFilter(text) = error else { return None };
    let number = text.rsplit(' ').next().unwrap_or(text);
    let name = OTHERS.iter().find(|(known, _)| *known == number);
    let name = name.map(|(_, name)| format!(" ({name})")).unwrap_or_default();
    Some(format!(
        "packed with the HDF5 filter {number}{name}, which is not read; those that are: deflate (gzip, zlib), shuffle, \
         fletcher32, scaleoffset, nbit, szip, LZF, LZ4, Blosc, zstd"
    ))
}

/// LZF: runs of bytes as they are, and copies of what came before.
fn lzf(bytes: &[u8], limit: usize) -> std::io::Result<Vec<u8>> {
    let mut rest = bytes.iter();
    let mut next = || rest.next().map(|byte| usize::from(*byte));
    let mut out = Vec::new();
    while let Some(code) = next() {
        let (run, mut count) = (code < 32, code >> 5);
        if run {
            within(out.len() + code + 1, limit)?;
            for _ in 0..=code {
                out.push(next().ok_or_else(cut)? as u8);
            }
            continue;
        }
        if count == 7 {
            count += next().ok_or_else(cut)?;
        }
        count += 2;
        let distance = ((code & 31) << 8 | next().ok_or_else(cut)?) + 1;
        within(out.len() + count, limit)?;
        let from = out.len().checked_sub(distance).ok_or_else(|| damaged("a copy of nothing"))?;
        for at in from..from + count {
            out.push(out[at]);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn copies_of_lzf_may_reach_into_themselves() {
        assert_eq!(lzf(&[1, b'a', b'b', 7 << 5, 0, 1], 11).unwrap(), b"abababababa");
        assert!(lzf(&[1, b'a', b'b', 7 << 5, 0, 1], 10).is_err());
        for bad in [&[0][..], &[1 << 5, 0], &[0, 1, 1 << 5, 1]] {
            assert!(lzf(bad, 100).is_err(), "{bad:?}");
        }
    }
}
