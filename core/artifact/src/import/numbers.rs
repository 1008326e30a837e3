//! Numbers as other programs write them, and as datasets hold them.

use crate::dataset::DType;

/// A type of numbers in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F16,
    F32,
    F64,
}

/// How numbers lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) of: Type,
    pub(super) big_endian: bool,
}

impl Numbers {
    /// NumPy's way of writing it: `<f8`, `|b1`.
    pub(super) fn of_numpy(text: &str) -> Option<Self> {
        let (order, name) = text.split_at_checked(1)?;
        let of = match name {
            "b1" => Type::Bool,
            "i1" => Type::I8,
            "u1" => Type::U8,
            "i2" => Type::I16,
            "u2" => Type::U16,
            "i4" => Type::I32,
            "u4" => Type::U32,
            "i8" => Type::I64,
            "u8" => Type::U64,
            "f2" => Type::F16,
            "f4" => Type::F32,
            "f8" => Type::F64,
            _ => return None,
        };
        let big_endian = match order {
            "<" => false,
            "|" => false,
            ">" => true,
            "=" => cfg!(target_endian = "big"),
            _ => return None,
        };
        Some(Self { of, big_endian })
    }

    /// Bytes of one.
    pub(super) fn size(self) -> usize {
        match self.of {
            Type::Bool | Type::I8 | Type::U8 => 1,
            Type::I16 | Type::U16 | Type::F16 => 2,
            Type::I32 | Type::U32 | Type::F32 => 4,
            Type::I64 | Type::U64 | Type::F64 => 8,
        }
    }

    /// The type in a dataset that holds them exactly.
    pub(super) fn dtype(self) -> DType {
        match self.of {
            Type::Bool | Type::U8 => DType::U8,
            Type::I8 | Type::I16 | Type::U16 | Type::I32 => DType::I32,
            Type::U32 | Type::I64 | Type::U64 => DType::I64,
            Type::F16 | Type::F32 => DType::F32,
            Type::F64 => DType::F64,
        }
    }

    pub(super) fn u8s(self, bytes: &[u8]) -> Vec<u8> {
        match self.of {
            Type::Bool => bytes.iter().map(|b| u8::from(*b != 0)).collect(),
            _ => bytes.to_vec(),
        }
    }

    pub(super) fn i32s(self, bytes: &[u8]) -> Vec<i32> {
        match self.of {
            Type::I8 => bytes.iter().map(|b| i32::from(b.cast_signed())).collect(),
            Type::I16 => self.each(bytes, |b| i32::from(i16::from_le_bytes(b))),
            Type::U16 => self.each(bytes, |b| i32::from(u16::from_le_bytes(b))),
            _ => self.each(bytes, i32::from_le_bytes),
        }
    }

    /// The error is a number that 64 bits with a sign do not hold.
    pub(super) fn i64s(self, bytes: &[u8]) -> Result<Vec<i64>, u64> {
        match self.of {
            Type::U32 => Ok(self.each(bytes, |b| i64::from(u32::from_le_bytes(b)))),
            Type::U64 => {
                let numbers = self.each(bytes, u64::from_le_bytes);
                numbers.into_iter().map(|n| i64::try_from(n).map_err(|_| n)).collect()
            }
            _ => Ok(self.each(bytes, i64::from_le_bytes)),
        }
    }

    pub(super) fn f32s(self, bytes: &[u8]) -> Vec<f32> {
        match self.of {
            Type::F16 => self.each(bytes, |b| half(u16::from_le_bytes(b))),
            _ => self.each(bytes, f32::from_le_bytes),
        }
    }

    /// All as doubles; 64-bit integers are rounded.
    pub(super) fn doubles(self, bytes: &[u8]) -> Vec<f64> {
        match self.of {
            Type::U64 => self.each(bytes, |b| u64::from_le_bytes(b) as f64),
            Type::F64 => self.each(bytes, f64::from_le_bytes),
            _ => match self.dtype() {
                DType::U8 => self.u8s(bytes).into_iter().map(f64::from).collect(),
                DType::I32 => self.i32s(bytes).into_iter().map(f64::from).collect(),
                DType::F32 => self.f32s(bytes).into_iter().map(f64::from).collect(),
                // What is left are 32-bit numbers without a sign, and 64-bit ones with.
                DType::I64 | DType::F64 => {
                    self.i64s(bytes).unwrap_or_default().into_iter().map(|n| n as f64).collect()
                }
            },
        }
    }

    fn each<const N: usize, T>(self, bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
        let one = |raw: &[u8; N]| {
            let mut raw = *raw;
            if self.big_endian {
                raw.reverse();
            }
            number(raw)
        };
        bytes.as_chunks::<N>().0.iter().map(one).collect()
    }
}

/// IEEE 754 half precision.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, fraction) = (u32::from(bits >> 10) & 0x1f, u32::from(bits) & 0x3ff);
    match exponent {
        // Zero, and numbers that are multiples of 2⁻²⁴.
        0 => {
            let size = fraction as f32 * (1.0 / 16_777_216.0);
            f32::from_bits(size.to_bits() | sign)
        }
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_exact() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0xfc00, f32::NEG_INFINITY),
        ] {
            assert_eq!(half(bits), value, "{bits:04x}");
        }
        assert!(half(0x7e00).is_nan());
        assert!(half(0x8000).is_sign_negative());
    }

    #[test]
    fn numbers_are_read_in_either_order_of_bytes() {
        let read = |text: &str, bytes: &[u8]| Numbers::of_numpy(text).map(|n| (n.dtype(), n.doubles(bytes)));
        assert_eq!(read("<i2", &[1, 0xff]), Some((DType::I32, vec![-255.0])));
        assert_eq!(read(">i2", &[0xff, 1]), Some((DType::I32, vec![-255.0])));
        assert_eq!(read("|b1", &[0, 2]), Some((DType::U8, vec![0.0, 1.0])));
        assert_eq!(read("|i1", &[0xff]), Some((DType::I32, vec![-1.0])));
        assert_eq!(read("<u4", &[0xff; 4]), Some((DType::I64, vec![4_294_967_295.0])));
        assert_eq!(read(">f8", &1.5f64.to_be_bytes()), Some((DType::F64, vec![1.5])));
        assert_eq!(read("<u8", &[0xff; 8]), Some((DType::I64, vec![18_446_744_073_709_551_615.0])));
        assert_eq!(Numbers { of: Type::U64, big_endian: false }.i64s(&[0xff; 8]), Err(u64::MAX));
        assert!(read("<c8", &[]).is_none() && read("|O", &[]).is_none() && read("", &[]).is_none());
    }
}
