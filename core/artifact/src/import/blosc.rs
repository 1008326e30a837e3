//! Blosc 1: a container of blocks, each packed by one of five codecs after its bytes or bits were sorted.
//!
//! Format: the header and chunk format of c-blosc. Sixteen bytes of header, where each block begins, then the blocks;
//! a block may be packed in as many parts as an element has bytes.

use std::io;

use super::codec::{self, Codec, cut, damaged, within};

const HEADER: usize = 16;

/// In the flags: bytes are sorted; nothing is packed; bits are sorted; blocks are in one part.
const SHUFFLE: u8 = 0x01;
const STORED: u8 = 0x02;
const BIT_SHUFFLE: u8 = 0x04;
const WHOLE: u8 = 0x10;

/// Blocks are never in parts for larger elements than this, nor for fewer elements.
const LARGEST_ELEMENT: usize = 16;
const FEWEST_ELEMENTS: usize = 128;

/// The codec of the blocks, by number.
#[derive(Clone, Copy)]
enum Inner {
    BloscLz,
    Lz4,
    Other(Codec),
}

/// The bytes in a container, of which there are at most `limit`.
pub(super) fn unpack(bytes: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let head = bytes.first_chunk::<HEADER>().ok_or_else(cut)?;
    let (version, flags, element) = (head[0], head[2], usize::from(head[3]).max(1));
    if !matches!(version, 1 | 2) {
        return Err(damaged("they are not in the format of Blosc 1"));
    }
    let (length, block) = (word(bytes, 4)?, word(bytes, 8)?);
    within(length, limit)?;
    if length == 0 {
        return Ok(Vec::new());
    }
    if flags & STORED != 0 {
        return Ok(bytes.get(HEADER..HEADER + length).ok_or_else(cut)?.to_vec());
    }
    if block == 0 || block > length {
        return Err(damaged("their blocks have an impossible size"));
    }
    let inner = match flags >> 5 {
        0 => Inner::BloscLz,
        1 => Inner::Lz4,
        2 => Inner::Other(Codec::Snappy),
        3 => Inner::Other(Codec::Zlib),
        4 => Inner::Other(Codec::Zstd),
        _ => return Err(damaged("the codec of their blocks is not known")),
    };
    /// No byte of a block stands for more, of all codecs.
    const MOST: usize = 1 << 15;
    let mut out = vec![0; length.min(bytes.len().saturating_mul(MOST))];
    let mut sorted = Vec::new();
    for number in 0..length.div_ceil(block) {
        let begin = word(bytes, HEADER + 4 * number)?;
        let here = block.min(length - number * block);
        let in_parts = flags & WHOLE == 0
            && here == block
            && element <= LARGEST_ELEMENT
            && block / element >= FEWEST_ELEMENTS;
        let parts = if in_parts { element } else { 1 };
        let to = out.get_mut(number * block..number * block + here).ok_or_else(cut)?;
        sorted.clear();
        read_block(bytes, begin, here, parts, inner, &mut sorted)?;
        if flags & SHUFFLE != 0 {
            codec::unshuffle_into(&sorted, element, to);
        } else if flags & BIT_SHUFFLE != 0 && here >= element {
            to.copy_from_slice(&unshuffle_bits(&sorted, element));
        } else {
            to.copy_from_slice(&sorted);
        }
    }
    Ok(out)
}

/// The bytes of a block, still sorted.
fn read_block(
    bytes: &[u8],
    mut at: usize,
    length: usize,
    parts: usize,
    inner: Inner,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let part = length / parts;
    for _ in 0..parts {
        let packed = word(bytes, at)?;
        at += 4;
        let from = at.checked_add(packed).and_then(|end| bytes.get(at..end)).ok_or_else(cut)?;
        at += packed;
        if packed == part {
            out.extend_from_slice(from);
            continue;
        }
        let unpacked = match inner {
            Inner::BloscLz => blosclz(from, part)?,
            Inner::Lz4 => codec::lz4(from, part, part)?,
            Inner::Other(codec) => codec::unpack(codec, from, part)?,
        };
        if unpacked.len() != part {
            return Err(cut());
        }
        out.extend(unpacked);
    }
    if out.len() == length { Ok(()) } else { Err(damaged("a block cannot be divided into its parts")) }
}

/// Four bytes as a number, which is never negative.
fn word(bytes: &[u8], at: usize) -> io::Result<usize> {
    let four = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or_else(cut)?;
    usize::try_from(i32::from_le_bytes(*four)).map_err(|_| damaged("they have a negative length"))
}

/// Bits back into elements: the file has the first bits of all elements first. It is done for counts that fill
/// whole bytes only; other blocks, and what is left over, are as they were.
fn unshuffle_bits(bytes: &[u8], size: usize) -> Vec<u8> {
    let count = bytes.len() / size;
    let mut out = bytes.to_vec();
    if !count.is_multiple_of(8) {
        return out;
    }
    let row = count / 8;
    for (place, planes) in bytes[..count * size].chunks_exact((row * 8).max(1)).enumerate() {
        for group in 0..row {
            // Eight bytes, one from each plane, are the bits of one byte of eight elements.
            let planes = std::array::from_fn(|bit| planes[bit * row + group]);
            let turned = transposed(u64::from_le_bytes(planes)).to_le_bytes();
            for (element, byte) in turned.into_iter().enumerate() {
                out[(group * 8 + element) * size + place] = byte;
            }
        }
    }
    out
}

/// A matrix of 8 x 8 bits, a row a byte, with rows and columns exchanged: blocks of 1, 2, then 4 change places.
fn transposed(mut bits: u64) -> u64 {
    for (shift, mask) in
        [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0_u64)]
    {
        let other = (bits ^ (bits >> shift)) & mask;
        bits ^= other ^ (other << shift);
    }
    bits
}

/// BloscLZ: runs of bytes as they are, and copies of what came before. A run begins with its length less one, below
/// 32; a copy has its length in the upper three bits and its distance in the lower five and what follows.
fn blosclz(bytes: &[u8], length: usize) -> io::Result<Vec<u8>> {
    /// Distances from here on are in two bytes more.
    const FAR: usize = 8191;
    let mut rest = bytes.iter();
    let mut next = || rest.next().map(|byte| usize::from(*byte));
    let mut out = Vec::with_capacity(length);
    // The first one is a run, whatever its upper bits say.
    let mut control = next().map(|control| control & 31);
    while let Some(code) = control {
        if code < 32 {
            within(out.len() + code + 1, length)?;
            for _ in 0..=code {
                out.push(next().ok_or_else(cut)? as u8);
            }
        } else {
            let mut count = (code >> 5) - 1;
            if count == 6 {
                loop {
                    let more = next().ok_or_else(cut)?;
                    count += more;
                    if more < 255 {
                        break;
                    }
                }
            }
            count += 3;
            let near = next().ok_or_else(cut)?;
            let mut distance = (code & 31) << 8 | near;
            if distance == FAR {
                distance += next().ok_or_else(cut)? << 8;
                distance += next().ok_or_else(cut)?;
            }
            within(out.len() + count, length)?;
            let from = out.len().checked_sub(distance + 1).ok_or_else(|| damaged("a copy of nothing"))?;
            for at in from..from + count {
                out.push(out[at]);
            }
        }
        control = next();
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bits_are_exchanged_with_their_places() {
        // The first row is the first column.
        assert_eq!(transposed(0xff), 0x0101_0101_0101_0101);
        let bits = 0x0123_4567_89ab_cdef;
        for (row, column) in [(0, 0), (2, 5), (7, 1)] {
            let (one, two) = (bits >> (row * 8 + column) & 1, transposed(bits) >> (column * 8 + row) & 1);
            assert_eq!(one, two, "{row} {column}");
        }
    }

    #[test]
    fn copies_may_reach_into_themselves_and_far_back() {
        // Two bytes, then seven more of them.
        assert_eq!(blosclz(&[1, b'a', b'b', 5 << 5, 1], 9).unwrap(), b"ababababa");
        // 31 << 8 | 255 in the distance: two bytes more follow.
        let mut far: Vec<u8> = Vec::new();
        for _ in 0..300 {
            far.push(31);
            far.extend([7; 32]);
        }
        far.extend([1 << 5 | 31, 255, 5, 0]);
        assert_eq!(blosclz(&far, 9603).unwrap(), [7; 9603]);
        for bad in [&[0][..], &[0, 1, 5 << 5, 9], &[0, 1, 7 << 5, 255]] {
            assert!(blosclz(bad, 100).is_err(), "{bad:?}");
        }
        assert!(blosclz(&[1, b'a', b'b', 5 << 5, 1], 8).unwrap_err().to_string().contains("more than 8"));
    }
}
