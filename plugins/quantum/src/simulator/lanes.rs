//! The vector instructions the kernels are written in, for each element type and instruction set.
//!
//! A token stands for an instruction set; tokens other than the portable one are only made by [`Real::dispatch`],
//! after the processor has been asked. Kernels are generic over the token and are inlined into entry points that
//! are compiled for the set.

use std::sync::OnceLock;

/// Instruction set that the kernels run on. Results of two sets agree to rounding, not in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isa {
    /// Arrays, compiled for the baseline processor.
    Portable,
    /// AVX2 with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 (F and DQ).
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// The widest instruction set of this processor.
    #[must_use]
    pub fn detect() -> Self {
        static DETECTED: OnceLock<Isa> = OnceLock::new();
        *DETECTED.get_or_init(|| Self::available().pop().unwrap_or(Self::Portable))
    }

    /// Every instruction set of this processor, the widest last.
    #[must_use]
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "on processors without other sets")]
        let mut sets = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                sets.push(Self::Avx2);
                if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                    sets.push(Self::Avx512);
                }
            }
        }
        sets
    }
}

/// A piece of work written once for all instruction sets.
pub trait Kernel<T: Real> {
    /// Does the work; implementations are `#[inline(always)]`.
    fn run<S: Lanes<T>>(self, simd: S);
}

/// Operations on registers of `T`.
pub trait Lanes<T: Real>: Copy {
    /// A register.
    type V: Copy;
    /// Base-two logarithm of the numbers in a register.
    const LOG: usize;
    /// Qubits that a pass over two vectors of amplitudes can take at once without running out of registers.
    const RADIX: usize;

    /// The same number in all lanes.
    fn splat(self, x: T) -> Self::V;
    /// # Safety
    /// `p` must be readable for a register's numbers.
    unsafe fn load(self, p: *const T) -> Self::V;
    /// # Safety
    /// `p` must be writable for a register's numbers.
    unsafe fn store(self, p: *mut T, v: Self::V);
    /// Asks for the cache line at `p`, which will be needed soon. Any address will do.
    fn prefetch(self, p: *const T);
    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c - a * b`.
    fn fnma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The bits of `a` changed where those of `b` are set: with zeros of either sign in `b`, a change of signs.
    fn xor(self, a: Self::V, b: Self::V) -> Self::V;
    /// Lane `i` from lane `i XOR 2^K`, for `K` below `LOG`.
    fn swap<const K: usize>(self, v: Self::V) -> Self::V;
}

/// Element type of the amplitudes.
pub trait Real:
    Copy
    + Send
    + Sync
    + Default
    + PartialOrd
    + std::fmt::Debug
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Neg<Output = Self>
    + std::ops::AddAssign
    + std::iter::Sum
    + 'static
{
    /// The number nearest to `x`.
    fn of(x: f64) -> Self;
    /// The number in double precision.
    fn wide(self) -> f64;
    /// Runs a kernel with the instructions of `isa`.
    fn dispatch(isa: Isa, kernel: impl Kernel<Self>);
}

/// [`Lanes::LOG`] and [`Lanes::RADIX`] of an instruction set.
pub(crate) fn width<T: Real>(isa: Isa) -> (usize, usize) {
    struct Width<'a>(&'a mut (usize, usize));
    impl<T: Real> Kernel<T> for Width<'_> {
        #[inline(always)]
        fn run<S: Lanes<T>>(self, _: S) {
            *self.0 = (S::LOG, S::RADIX);
        }
    }
    let mut width = (0, 0);
    T::dispatch(isa, Width(&mut width));
    width
}

/// Arrays, for processors without a path of their own.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

macro_rules! portable {
    ($real:ty, $bits:ty, $lanes:literal, $log:literal) => {
        impl Lanes<$real> for Portable {
            type V = [$real; $lanes];
            const LOG: usize = $log;
            const RADIX: usize = 2;

            #[inline(always)]
            fn splat(self, x: $real) -> Self::V {
                [x; $lanes]
            }
            #[inline(always)]
            unsafe fn load(self, p: *const $real) -> Self::V {
                // SAFETY: the caller's promise.
                unsafe { p.cast::<Self::V>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $real, v: Self::V) {
                // SAFETY: the caller's promise.
                unsafe { p.cast::<Self::V>().write_unaligned(v) }
            }
            #[inline(always)]
            fn prefetch(self, _: *const $real) {}
            #[inline(always)]
            fn add(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] + b[i])
            }
            #[inline(always)]
            fn mul(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] * b[i])
            }
            #[inline(always)]
            fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] * b[i] + c[i])
            }
            #[inline(always)]
            fn fnma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                std::array::from_fn(|i| c[i] - a[i] * b[i])
            }
            #[inline(always)]
            fn xor(self, a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| <$real>::from_bits(a[i].to_bits() ^ b[i].to_bits()))
            }
            #[inline(always)]
            fn swap<const K: usize>(self, v: Self::V) -> Self::V {
                std::array::from_fn(|i| v[i ^ (1 << K)])
            }
        }
    };
}

portable!(f32, u32, 8, 3);
portable!(f64, u64, 4, 2);

macro_rules! real {
    ($real:ty) => {
        impl Real for $real {
            #[inline(always)]
            fn of(x: f64) -> Self {
                x as $real
            }
            #[inline(always)]
            fn wide(self) -> f64 {
                f64::from(self)
            }
            fn dispatch(isa: Isa, kernel: impl Kernel<Self>) {
                match isa {
                    Isa::Portable => kernel.run(Portable),
                    // SAFETY: `isa` comes from `Isa::available`, which has asked the processor.
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => unsafe { x86::run_avx2(kernel) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => unsafe { x86::run_avx512(kernel) },
                }
            }
        }
    };
}

real!(f32);
real!(f64);

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Kernel, Lanes, Real};

    #[derive(Clone, Copy)]
    pub(super) struct Avx2;
    #[derive(Clone, Copy)]
    pub(super) struct Avx512;

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn run_avx2<T: Real>(kernel: impl Kernel<T>)
    where
        Avx2: Lanes<T>,
    {
        kernel.run(Avx2);
    }

    #[target_feature(enable = "avx2,fma,avx512f,avx512dq")]
    pub(super) fn run_avx512<T: Real>(kernel: impl Kernel<T>)
    where
        Avx512: Lanes<T>,
    {
        kernel.run(Avx512);
    }

    macro_rules! vectors {
        ($token:ty, $real:ty, $v:ty, $log:literal, $radix:literal, $splat:ident, $load:ident, $store:ident,
         $add:ident, $mul:ident, $fma:ident, $fnma:ident, $xor:ident, |$x:ident| [$($k:literal => $swap:expr),*]) => {
            // SAFETY (of every block below): the token proves that the processor has the instructions.
            impl Lanes<$real> for $token {
                type V = $v;
                const LOG: usize = $log;
                const RADIX: usize = $radix;

                #[inline(always)]
                fn splat(self, x: $real) -> Self::V {
                    unsafe { $splat(x) }
                }
                #[inline(always)]
                unsafe fn load(self, p: *const $real) -> Self::V {
                    unsafe { $load(p) }
                }
                #[inline(always)]
                unsafe fn store(self, p: *mut $real, v: Self::V) {
                    unsafe { $store(p, v) }
                }
                #[inline(always)]
                fn prefetch(self, p: *const $real) {
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
                }
                #[inline(always)]
                fn add(self, a: Self::V, b: Self::V) -> Self::V {
                    unsafe { $add(a, b) }
                }
                #[inline(always)]
                fn mul(self, a: Self::V, b: Self::V) -> Self::V {
                    unsafe { $mul(a, b) }
                }
                #[inline(always)]
                fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                    unsafe { $fma(a, b, c) }
                }
                #[inline(always)]
                fn fnma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                    unsafe { $fnma(a, b, c) }
                }
                #[inline(always)]
                fn xor(self, a: Self::V, b: Self::V) -> Self::V {
                    unsafe { $xor(a, b) }
                }
                #[inline(always)]
                fn swap<const K: usize>(self, $x: Self::V) -> Self::V {
                    match K {
                        $($k => unsafe { $swap },)*
                        _ => $x,
                    }
                }
            }
        };
    }

    vectors!(Avx512, f32, __m512, 4, 3, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_mul_ps,
        _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_xor_ps, |v| [
        0 => _mm512_permute_ps::<0b10_11_00_01>(v),
        1 => _mm512_permute_ps::<0b01_00_11_10>(v),
        2 => _mm512_shuffle_f32x4::<0b10_11_00_01>(v, v),
        3 => _mm512_shuffle_f32x4::<0b01_00_11_10>(v, v)
    ]);
    vectors!(Avx512, f64, __m512d, 3, 3, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_add_pd, _mm512_mul_pd,
        _mm512_fmadd_pd, _mm512_fnmadd_pd, _mm512_xor_pd, |v| [
        0 => _mm512_permute_pd::<0b0101_0101>(v),
        1 => _mm512_permutex_pd::<0b01_00_11_10>(v),
        2 => _mm512_shuffle_f64x2::<0b01_00_11_10>(v, v)
    ]);
    vectors!(Avx2, f32, __m256, 3, 2, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_mul_ps,
        _mm256_fmadd_ps, _mm256_fnmadd_ps, _mm256_xor_ps, |v| [
        0 => _mm256_permute_ps::<0b10_11_00_01>(v),
        1 => _mm256_permute_ps::<0b01_00_11_10>(v),
        2 => _mm256_permute2f128_ps::<1>(v, v)
    ]);
    vectors!(Avx2, f64, __m256d, 2, 2, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_add_pd, _mm256_mul_pd,
        _mm256_fmadd_pd, _mm256_fnmadd_pd, _mm256_xor_pd, |v| [
        0 => _mm256_permute_pd::<0b0101>(v),
        1 => _mm256_permute2f128_pd::<1>(v, v)
    ]);
}
