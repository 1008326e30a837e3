//! Undoing what was done to bytes before they were stored.
//!
//! What a file says of its sizes is not believed: whoever asks says how many bytes there may be, and nothing that
//! unpacks to more is held.

use std::io::{self, Read};

use super::blosc;

/// What was done to some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    /// A container of blocks with codecs of its own.
    Blosc,
    /// A checksum in four bytes behind the others.
    Crc32c,
    Gzip,
    /// A block of LZ4 behind its length in four bytes.
    Lz4,
    /// The bytes of elements of this size sorted by their place in the element.
    Shuffle(usize),
    Snappy,
    Zlib,
    Zstd,
}

/// The bytes that were there before, of which there are at most `limit`.
///
/// # Errors
/// When these bytes are damaged, or there would be more.
pub(super) fn unpack(codec: Codec, bytes: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    match codec {
        Codec::Blosc => blosc::unpack(bytes, limit),
        Codec::Crc32c => checked(bytes),
        Codec::Gzip => all(flate2::read::MultiGzDecoder::new(bytes), limit),
        Codec::Lz4 => {
            let (length, block) = bytes.split_first_chunk().ok_or_else(cut)?;
            lz4(block, u32::from_le_bytes(*length) as usize, limit)
        }
        Codec::Shuffle(size) => Ok(unshuffle(bytes, size)),
        Codec::Snappy => {
            let length = snap::raw::decompress_len(bytes).map_err(io::Error::other)?;
            within(length, limit)?;
            snap::raw::Decoder::new().decompress_vec(bytes).map_err(io::Error::other)
        }
        Codec::Zlib => all(flate2::read::ZlibDecoder::new(bytes), limit),
        Codec::Zstd => zstd(bytes, limit),
    }
}

/// A block of LZ4 that unpacks to `length` bytes.
pub(super) fn lz4(block: &[u8], length: usize, limit: usize) -> io::Result<Vec<u8>> {
    /// No byte of a block stands for more.
    const MOST: usize = 255;
    within(length, limit.min(block.len().saturating_mul(MOST)))?;
    let mut out = vec![0; length];
    match lz4_flex::block::decompress_into(block, &mut out) {
        Ok(found) if found == length => Ok(out),
        Ok(_) => Err(cut()),
        Err(error) => Err(damaged(&error.to_string())),
    }
}

/// Sorts bytes back into elements. What is left over at the end was never sorted.
pub(super) fn unshuffle(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut out = vec![0; bytes.len()];
    unshuffle_into(bytes, size, &mut out);
    out
}

/// The same, into as many bytes.
pub(super) fn unshuffle_into(bytes: &[u8], size: usize, out: &mut [u8]) {
    let count = bytes.len().checked_div(size).unwrap_or(0);
    let sorted = if count < 2 { 0 } else { count * size };
    out[sorted..].copy_from_slice(&bytes[sorted..]);
    match size {
        _ if sorted == 0 => {}
        2 => interleave::<2>(bytes, count, out),
        4 => interleave::<4>(bytes, count, out),
        8 => interleave::<8>(bytes, count, out),
        _ => {
            for (place, plane) in bytes[..count * size].chunks_exact(count).enumerate() {
                for (element, byte) in out[place..].iter_mut().step_by(size).zip(plane) {
                    *element = *byte;
                }
            }
        }
    }
}

/// Takes the bytes of each element from as many planes of `count` bytes, all in one pass.
fn interleave<const N: usize>(bytes: &[u8], count: usize, out: &mut [u8]) {
    let planes: [&[u8]; N] = std::array::from_fn(|at| &bytes[at * count..][..count]);
    for (at, element) in out.as_chunks_mut::<N>().0.iter_mut().enumerate().take(count) {
        *element = planes.map(|plane| plane[at]);
    }
}

pub(super) fn damaged(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the packed values are damaged: {problem}"))
}

pub(super) fn cut() -> io::Error {
    damaged("they are cut short")
}

/// An error if there are too many bytes.
pub(super) fn within(length: usize, limit: usize) -> io::Result<()> {
    if length > limit { Err(damaged(&format!("they unpack to more than {limit} bytes"))) } else { Ok(()) }
}

/// Frames of zstd.
fn zstd(bytes: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    /// No byte of a frame stands for more.
    const MOST: usize = 1 << 15;
    // In one go, without another buffer. What that does not take, such as more values, is told by the slower way.
    let most = limit.min(bytes.len().saturating_mul(MOST));
    zstd::bulk::decompress(bytes, most)
        .or_else(|_| all(zstd::stream::read::Decoder::with_buffer(bytes)?, limit))
}

fn all(from: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    from.take(limit as u64 + 1).read_to_end(&mut out)?;
    within(out.len(), limit)?;
    Ok(out)
}

/// The bytes before a checksum, which they must have (Castagnoli's, of 32 bits).
fn checked(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let (values, sum) = bytes.split_last_chunk().ok_or_else(cut)?;
    let found = !values.iter().fold(!0_u32, |sum, byte| TABLE[usize::from(sum as u8 ^ byte)] ^ (sum >> 8));
    if found == u32::from_le_bytes(*sum) {
        Ok(values.to_vec())
    } else {
        Err(damaged("their checksum differs"))
    }
}

/// The remainder of every byte.
const TABLE: [u32; 256] = {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let (mut sum, mut bit) = (byte as u32, 0);
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ POLYNOMIAL } else { sum >> 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_checksum_is_compared() {
        // The check value of this polynomial's definition.
        let mut bytes = b"123456789".to_vec();
        bytes.extend(0xe306_9283_u32.to_le_bytes());
        assert_eq!(unpack(Codec::Crc32c, &bytes, 9).unwrap(), b"123456789");
        bytes[0] ^= 1;
        assert!(unpack(Codec::Crc32c, &bytes, 9).unwrap_err().to_string().contains("checksum"));
        assert!(unpack(Codec::Crc32c, &[0; 3], 9).is_err());
    }

    #[test]
    fn shuffled_bytes_are_sorted_back() {
        assert_eq!(unshuffle(&[1, 3, 5, 2, 4, 6, 7], 2), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(unshuffle(&[1, 2, 3], 1), [1, 2, 3]);
        assert_eq!(unshuffle(&[1, 2, 3], 4), [1, 2, 3]);
        for size in 1..=9 {
            let elements: Vec<u8> = (0..size * 7).map(|at| at as u8).collect();
            let mut sorted: Vec<u8> =
                (0..size).flat_map(|place| elements.iter().skip(place).step_by(size).copied()).collect();
            // Behind the last whole element.
            sorted.extend(&[100, 101][..(size - 1).min(2)]);
            let found = unshuffle(&sorted, size);
            assert_eq!(found[..elements.len()], elements, "elements of {size} bytes");
            assert_eq!(found[elements.len()..], sorted[elements.len()..], "elements of {size} bytes");
        }
    }

    #[test]
    fn nothing_unpacks_to_more_than_is_allowed() {
        let zeros = vec![0_u8; 1 << 20];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        io::Write::write_all(&mut gzip, &zeros).unwrap();
        let mut lz4 = (zeros.len() as u32).to_le_bytes().to_vec();
        lz4.extend(lz4_flex::block::compress(&zeros));
        for (codec, packed) in [
            (Codec::Gzip, gzip.finish().unwrap()),
            (Codec::Zstd, zstd::bulk::compress(&zeros, 3).unwrap()),
            (Codec::Snappy, snap::raw::Encoder::new().compress_vec(&zeros).unwrap()),
            (Codec::Lz4, lz4),
        ] {
            assert_eq!(unpack(codec, &packed, zeros.len()).unwrap(), zeros, "{codec:?}");
            let error = unpack(codec, &packed, zeros.len() - 1).unwrap_err().to_string();
            assert!(error.contains("more than 1048575 bytes"), "{codec:?}: {error}");
            for cut in 1..packed.len().min(64) {
                assert!(unpack(codec, &packed[..cut], zeros.len()).is_err(), "{codec:?} {cut}");
            }
        }
    }
}
