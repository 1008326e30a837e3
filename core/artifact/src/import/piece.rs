//! The memory in which the bytes of a file become values.

use std::io::{self, Read};

use super::numbers::{Numbers, Type};
use super::rows::Packing;
use crate::dataset::{DType, Values};

/// So many bytes are trusted to be there before they have been read.
const STEP: usize = 8 << 20;

/// Some rows of an array. The memory of one piece is used for the next: fresh memory costs more than reading into it.
pub(super) struct Piece {
    numbers: Numbers,
    packing: Packing,
    /// The values lie in the file as they do in memory, but for the order of their bytes: they need no other place.
    as_stored: bool,
    values: Values,
    raw: Vec<u8>,
}

impl Piece {
    pub(super) fn new(numbers: Numbers, packing: Packing) -> Self {
        let as_stored = !packing.is_packed()
            && matches!(numbers.of, Type::U8 | Type::I32 | Type::I64 | Type::F32 | Type::F64);
        Self { numbers, packing, as_stored, values: Values::none(numbers.dtype()), raw: Vec::new() }
    }

    /// Room for so many bytes of the file, of whole numbers. What is in it before has no meaning.
    pub(super) fn room(&mut self, bytes: usize) -> &mut [u8] {
        if !self.as_stored {
            self.raw.resize(bytes, 0);
            return &mut self.raw;
        }
        // Who was given the last piece may have kept it.
        if self.values.dtype() != self.numbers.dtype() {
            self.values = Values::none(self.numbers.dtype());
        }
        self.values.bytes_mut(bytes)
    }

    /// Reads so many bytes. What is not there takes no memory, whatever a file says of its size.
    pub(super) fn read(&mut self, bytes: usize, mut from: impl Read) -> io::Result<()> {
        let mut done = 0;
        while done < bytes {
            let until = bytes.min(done + STEP);
            from.read_exact(&mut self.room(until)[done..])?;
            done = until;
        }
        Ok(())
    }

    /// The values that the bytes in the room stand for. The error is a number that is too large.
    pub(super) fn values(&mut self) -> Result<&mut Values, u64> {
        let (numbers, packing) = (self.numbers, self.packing);
        if packing.is_packed() {
            let mut values = numbers.doubles(&self.raw);
            values.iter_mut().for_each(|value| *value = packing.unpack(*value));
            self.values = Values::F64(values);
            return Ok(&mut self.values);
        }
        if !self.as_stored {
            self.values = match numbers.dtype() {
                DType::U8 => Values::U8(numbers.u8s(&self.raw)),
                DType::I32 => Values::I32(numbers.i32s(&self.raw)),
                DType::I64 => Values::I64(numbers.i64s(&self.raw)?),
                DType::F32 => Values::F32(numbers.f32s(&self.raw)),
                DType::F64 => Values::F64(numbers.doubles(&self.raw)),
            };
        } else if numbers.big_endian != cfg!(target_endian = "big") {
            self.values.swap_bytes();
        }
        match (&mut self.values, packing.missing.filter(|missing| !missing.is_nan())) {
            (Values::F32(values), Some(missing)) => {
                let missing = missing as f32;
                values.iter_mut().filter(|v| **v == missing).for_each(|v| *v = f32::NAN);
            }
            (Values::F64(values), Some(missing)) => {
                values.iter_mut().filter(|v| **v == missing).for_each(|v| *v = f64::NAN);
            }
            _ => {}
        }
        Ok(&mut self.values)
    }
}
