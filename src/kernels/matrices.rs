//! Test matrices, formed in MPFR beyond the precision of the kernel that gets them, then rounded once.

use ::faer::Mat;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use rug::{Assign, Float, Integer, integer::Order};

pub(super) type Matrix = Mat<Float>;

/// The working precision and the source of randomness of one case.
pub(super) struct Maker {
    prec: u32,
    rng: ChaCha8Rng,
}

/// Shapes of a spectrum with condition number κ = 2^bits: the modes of `DLATM1`.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    /// 1, 1/κ, ..., 1/κ.
    OneLarge,
    /// 1, ..., 1, 1/κ.
    OneSmall,
    /// κ^(−i/(n−1)).
    Geometric,
    /// 1 − (i/(n−1)) (1 − 1/κ).
    Arithmetic,
    /// Logarithms uniform in (−ln κ, 0).
    Random,
}

impl Mode {
    pub(super) const ALL: [(&'static str, Mode); 5] = [
        ("one-large", Mode::OneLarge),
        ("one-small", Mode::OneSmall),
        ("geometric", Mode::Geometric),
        ("arithmetic", Mode::Arithmetic),
        ("random", Mode::Random),
    ];
}

impl Maker {
    pub(super) fn new(prec: u32, seed: u64) -> Self {
        Maker { prec, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    fn float<T>(&self, value: T) -> Float
    where
        Float: Assign<T>,
    {
        let mut x = Float::new(self.prec);
        x.assign(value);
        x
    }

    /// Uniform in (−1, 1), with all bits.
    fn uniform(&mut self) -> Float {
        let digits: Vec<u64> = (0..self.prec.div_ceil(64)).map(|_| self.rng.next_u64()).collect();
        let x = self.float(&Integer::from_digits(&digits, Order::Lsf)) >> (64 * digits.len() as u32);
        if self.rng.next_u64() & 1 == 0 { x } else { -x }
    }

    pub(super) fn random(&mut self, m: usize, n: usize) -> Matrix {
        Mat::from_fn(m, n, |_, _| self.uniform())
    }

    pub(super) fn symmetric(&mut self, n: usize) -> Matrix {
        let a = self.random(n, n);
        Mat::from_fn(n, n, |i, j| a[(i.max(j), i.min(j))].clone())
    }

    pub(super) fn zero(&self, m: usize, n: usize) -> Matrix {
        Mat::from_fn(m, n, |_, _| Float::new(self.prec))
    }

    pub(super) fn ones(&self, m: usize, n: usize) -> Matrix {
        Mat::from_fn(m, n, |_, _| self.float(1))
    }

    pub(super) fn times(&self, a: &Matrix, b: &Matrix) -> Matrix {
        Mat::from_fn(a.nrows(), b.ncols(), |i, j| self.float(Float::dot((0..a.ncols()).map(|k| (&a[(i, k)], &b[(k, j)])))))
    }

    /// AᵀA.
    pub(super) fn gram(&self, a: &Matrix) -> Matrix {
        self.times(&transpose(a), a)
    }

    /// A + s E.
    pub(super) fn plus(&self, a: &Matrix, s: f64, e: &Matrix) -> Matrix {
        Mat::from_fn(a.nrows(), a.ncols(), |i, j| self.float(&a[(i, j)]) + self.float(s) * &e[(i, j)])
    }

    pub(super) fn identity(&self, n: usize) -> Matrix {
        Mat::from_fn(n, n, |i, j| self.float(u32::from(i == j)))
    }

    /// I − J/k of size n: the Gram matrix of n of the k vertices of a simplex equiangular tight frame, scaled.
    pub(super) fn simplex(&self, n: usize, k: usize) -> Matrix {
        Mat::from_fn(n, n, |i, j| self.float(u32::from(i == j)) - self.float(1) / k as u32)
    }

    /// d × (k n) features: class means that form a simplex ETF (or an orthogonal frame) in a random basis, plus `spread` times noise.
    pub(super) fn features(&mut self, d: usize, k: usize, n: usize, centred: bool, spread: f64) -> Matrix {
        let frame = if centred { self.simplex(k, k) } else { self.identity(k) };
        let mut means = Mat::from_fn(d, k, |i, j| if i < k { frame[(i, j)].clone() } else { self.float(0) });
        self.rotate(&mut means);
        let noise = self.random(d, k * n);
        Mat::from_fn(d, k * n, |i, j| self.float(&means[(i, j / n)]) + self.float(spread) * &noise[(i, j)])
    }

    /// Multiplies from the left by as many random reflectors I − 2 v vᵀ/(vᵀv) as there are rows.
    fn rotate(&mut self, a: &mut Matrix) {
        let (m, n) = (a.nrows(), a.ncols());
        for _ in 0..m {
            let v: Vec<Float> = (0..m).map(|_| self.uniform()).collect();
            let square = self.float(Float::dot(v.iter().map(|x| (x, x))));
            for j in 0..n {
                let dot = self.float(Float::dot((0..m).map(|i| (&v[i], &a[(i, j)]))));
                let factor = dot * 2u32 / &square;
                for (i, x) in v.iter().enumerate() {
                    a[(i, j)] -= self.float(x * &factor);
                }
            }
        }
    }

    pub(super) fn spectrum(&mut self, mode: Mode, n: usize, bits: u32) -> Vec<Float> {
        let least = self.float(1) >> bits;
        let last = n.saturating_sub(1).max(1) as u32;
        let value = |maker: &mut Self, i: usize| match mode {
            Mode::OneLarge if i == 0 => maker.float(1),
            Mode::OneSmall if i + 1 < n => maker.float(1),
            Mode::OneLarge | Mode::OneSmall => least.clone(),
            Mode::Geometric => (-maker.float(bits) * i as u32 / last).exp2(),
            Mode::Arithmetic => 1u32 - (1u32 - least.clone()) * i as u32 / last,
            Mode::Random => (-maker.uniform().abs() * bits).exp2(),
        };
        (0..n).map(|i| value(self, i)).collect()
    }

    /// U diag(d) Vᵀ, m × n, with random orthogonal U and V.
    pub(super) fn with_singular_values(&mut self, m: usize, n: usize, d: &[Float]) -> Matrix {
        let mut a = Mat::from_fn(m, n, |i, j| if i == j { d[i].clone() } else { self.float(0) });
        self.rotate(&mut a);
        let mut a = transpose(&a);
        self.rotate(&mut a);
        transpose(&a)
    }

    /// U diag(d) Uᵀ with a random orthogonal U: R (R diag(d))ᵀ, exactly symmetric after rounding.
    pub(super) fn with_eigenvalues(&mut self, d: &[Float]) -> Matrix {
        let mut u = self.identity(d.len());
        self.rotate(&mut u);
        let scaled = Mat::from_fn(d.len(), d.len(), |i, j| self.float(&u[(i, j)] * &d[j]));
        let a = self.times(&scaled, &transpose(&u));
        Mat::from_fn(d.len(), d.len(), |i, j| a[(i.max(j), i.min(j))].clone())
    }

    /// Alternates the signs.
    pub(super) fn signed(&self, d: Vec<Float>) -> Vec<Float> {
        d.into_iter().enumerate().map(|(i, x)| if i % 2 == 0 { x } else { -x }).collect()
    }

    /// D A D with D = diag(2^(−bits i/(2n−2))): rows and columns fall off together, the last entry by 2^−bits.
    pub(super) fn grade(&mut self, a: &Matrix, bits: u32) -> Matrix {
        let d = self.spectrum(Mode::Geometric, a.nrows(), bits / 2);
        Mat::from_fn(a.nrows(), a.nrows(), |i, j| self.float(&a[(i, j)] * &d[i.max(j)]) * &d[i.min(j)])
    }

    /// A graded random symmetric matrix.
    pub(super) fn graded(&mut self, n: usize, bits: u32) -> Matrix {
        let a = self.symmetric(n);
        self.grade(&a, bits)
    }

    /// 1/(i + j + 1).
    pub(super) fn hilbert(&self, n: usize) -> Matrix {
        Mat::from_fn(n, n, |i, j| self.float(1) / (i + j + 1) as u32)
    }

    /// diag(1, s, s², ...) times the unit upper triangle of −c, with s = sin θ, c = cos θ, θ = 1.2 (Kahan 1966).
    pub(super) fn kahan(&self, n: usize) -> Matrix {
        let theta = self.float(1.2);
        let (s, c) = (theta.clone().sin(), theta.cos());
        Mat::from_fn(n, n, |i, j| {
            let power = (0..i).fold(self.float(1), |x, _| x * &s);
            match i.cmp(&j) {
                std::cmp::Ordering::Greater => self.float(0),
                std::cmp::Ordering::Equal => power,
                std::cmp::Ordering::Less => -power * &c,
            }
        })
    }

    /// W⁺ of size n: |(n−1)/2 − i| on the diagonal, ones beside it; its large eigenvalues are pairs that nearly agree.
    pub(super) fn wilkinson(&self, n: usize) -> Matrix {
        Mat::from_fn(n, n, |i, j| match i.abs_diff(j) {
            0 => self.float((n / 2).abs_diff(i) as u32),
            1 => self.float(1),
            _ => self.float(0),
        })
    }

    /// G Gᵀ + n I.
    pub(super) fn definite(&mut self, n: usize) -> Matrix {
        let g = self.random(n, n);
        self.plus(&self.gram(&g), n as f64, &self.identity(n))
    }

    /// 2^exponent A.
    pub(super) fn scaled(&self, a: &Matrix, exponent: i32) -> Matrix {
        Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)].clone() << exponent)
    }
}

pub(super) fn transpose(a: &Matrix) -> Matrix {
    Mat::from_fn(a.ncols(), a.nrows(), |i, j| a[(j, i)].clone())
}
