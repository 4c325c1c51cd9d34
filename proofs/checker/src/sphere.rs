//! The predicates of FORMAT.md for the sphere model.
//!
//! Unit vectors are rounded to the grid u = 2^-w, w = `precision`, every entry within 2u: a vector is within δ = 2u (floor √d + 1) of
//! the exact one. With τ = t/q, logits floor(τ<ŵ, ĥ>) are within η = 3 τ δ + u of the exact ones, for |<w, h> - <ŵ, ĥ>| <= δ + (1 + δ) δ.
//! Everything below needs δ <= 1/64 and η <= 1/8. Matrices over samples are kept transposed: row i belongs to sample i.

use num_bigint::BigInt;
use num_integer::{Integer, Roots};
use num_traits::{One, Signed, Zero};

use crate::dyadic::{Dyadic, shifted};
use crate::int::Int;
use crate::matrix::{Mat, parallel, room};
use crate::predicates::Triple;
use crate::problem::{Group, Problem};
use crate::reader::{Fail, Reader, rejected, require};
use crate::series::Fixed;
use crate::{Bound, Claim, Kind, claimed};

/// A problem with the unit vectors of a point, ready for evaluation.
pub(crate) struct Sphere<'a> {
    problem: &'a Problem,
    precision: usize,
    groups: Vec<Group>,
    labels: Vec<usize>,
    /// K x d and N x d.
    w: Mat,
    h: Mat,
    delta: Dyadic,
    eta: Dyadic,
    n: BigInt,
    one: BigInt,
}

impl<'a> Sphere<'a> {
    /// `lines`: of the precision, and of the headers of W and H.
    pub fn new(problem: &'a Problem, point: &Triple, precision: usize, lines: [usize; 3]) -> Result<Self, Fail> {
        let groups = problem.groups();
        let labels = groups.iter().enumerate().flat_map(|(class, group)| std::iter::repeat_n(class, group.count)).collect();
        let width = BigInt::from(2 * (problem.dim.sqrt() + 1));
        let moved: BigInt = (&problem.t * &width * 3u32).div_ceil(&problem.q) + 1;
        let ulps = |m| Dyadic { m, e: -(precision as i64) };
        let (delta, eta) = (ulps(width), ulps(moved));
        let fine = delta <= Dyadic::new(1, -6) && eta <= Dyadic::new(1, -3);
        require(fine, lines[0], "the precision is too low for this temperature and dimension")?;
        let (w, h) = (unit_rows(&point.w, precision, lines[1])?, unit_rows(&point.h.transpose(), precision, lines[2])?);
        Ok(Sphere { problem, precision, groups, labels, w, h, delta, eta, n: problem.samples.into(), one: BigInt::one() })
    }

    /// Zᵀ = τ Ĥᵀ Ŵᵀ, rounded down.
    fn logits(&self) -> Result<Mat, Fail> {
        let z = self.h.product(&self.w)?;
        let m = z.m.iter().map(|x| (&*x.big() * &self.problem.t).div_floor(&self.problem.q).into()).collect();
        Ok(Mat { m, ..z })
    }

    /// Yᵀ.
    fn targets(&self) -> Mat {
        Mat::one_hot(&self.labels, self.problem.classes)
    }

    /// f <= bound: a sample's loss moves by at most ||p - y||_1 η <= 2 η.
    fn objective_at_most(&self, bound: &Dyadic) -> Result<bool, Fail> {
        let loss = Fixed::new(self.precision).loss_upper(&self.logits()?, &self.targets(), &vec![1; self.problem.samples]);
        Ok(&loss + &self.eta.times(&(2 * &self.n)) <= bound.times(&self.n))
    }

    /// P3, and whether 2 N lower = 2 Σ n_k H(q_k) - Σ a_k - Σ n_k²/c_k is certainly at least 2 N bound; `rt` = Rᵀ.
    fn lower_at_least(&self, rt: &Mat, a: &Mat, c: &Mat, line: usize, bound: &Dyadic) -> Result<bool, Fail> {
        if rt.transpose().column_sums().m.iter().any(|x| !x.is_zero()) {
            return rejected(line, "P3: a column of R does not sum to zero");
        }
        let classes: Vec<usize> = (0..self.problem.classes).collect();
        let q = Mat::combine(&[(&self.one, rt), (&self.one, &Mat::one_hot(&classes, classes.len()))])?;
        if q.m.iter().any(Int::is_negative) {
            return rejected(line, "P3: a column of R plus its target has a negative entry");
        }
        let entropy = Fixed::new(self.precision).entropy_lower(&q, &q, &self.groups);
        let shift = self.precision as i64 - c.e;
        let quotient = |(group, c): (&Group, &Int)| {
            let square = BigInt::from(group.count) * group.count;
            shifted(&square, shift.max(0)).div_ceil(&c.shifted((-shift).max(0)).big())
        };
        let price = Dyadic { m: self.groups.iter().zip(&c.m).map(quotient).sum(), e: -(self.precision as i64) };
        let price = &price + &Dyadic { m: a.m.iter().sum::<Int>().big().into_owned(), e: a.e };
        Ok(&entropy.times(&2.into()) - &price >= bound.times(&(2 * &self.n)))
    }

    /// P1: diag(a)/τ² - R diag(c) Rᵀ - L Lᵀ is diagonally dominant: with M = R diag(c) Rᵀ + L Lᵀ, t² Σ_j |m_ij| <= q² a_i.
    fn feasible(&self, rt: &Mat, a: &Mat, c: &Mat, l: &Mat, line: usize) -> Result<(), Fail> {
        let weighted = Mat { m: rt.m.iter().enumerate().map(|(i, x)| x * &c.m[i / rt.cols]).collect(), e: rt.e + c.e, ..*rt };
        let rcr = weighted.transpose().symmetric_product(&rt.transpose())?;
        let m = Mat::combine(&[(&self.one, &rcr), (&self.one, &l.symmetric_product(l)?)])?;
        let (t2, q2) = (&self.problem.t * &self.problem.t, &self.problem.q * &self.problem.q);
        for (i, a) in entries(a).enumerate() {
            let sum = m.row(i).iter().map(Int::abs).sum::<Int>();
            if (Dyadic { m: &*sum.big() * &t2, e: m.e }) > a.times(&q2) {
                return rejected(line, format!("P1: row {} of diag(a)/τ² - R diag(c) Rᵀ - L Lᵀ is not diagonally dominant", i + 1));
            }
        }
        Ok(())
    }

    /// P - Y and S with P <= softmax(z) <= P + S entrywise, transposed, z the rounded logits.
    fn slope(&self) -> Result<(Mat, Mat), Fail> {
        let z = self.logits()?;
        room(z.m.len(), 2 * self.precision as u64)?;
        let (p, slack) = Fixed::new(self.precision).softmax(&z);
        let low = Mat::combine(&[(&self.one, &p), (&-&self.one, &self.targets())])?;
        Ok((low, slack))
    }

    /// (s, ε) such that (N/τ) ||grad f|| lies within ε of the square root of s.
    ///
    /// (N/τ) grad f is the tangent part of V = R Hᵀ (rows) and U = Wᵀ R (columns). Softmax moves by at most e^(2η) - 1 <= 3η times
    /// itself, so R by at most ρ = ||S|| + 3 η √N; V and U by ρ √N and ρ √K, and by δ ||R̂|| √N and δ ||R̂|| √K with the vectors; the
    /// projections by 3 δ times ||V̂|| <= (1 + δ) ||R̂|| √N and ||Û|| alike: in all (ρ + 5 δ ||R̂||) √(N + K).
    fn scaled_gradient(&self) -> Result<(Dyadic, Dyadic), Fail> {
        let (low, slack) = self.slope()?;
        let v = low.transpose().product(&self.h.transpose())?;
        let u = low.product(&self.w.transpose())?;
        let square = &tangent(&self.w, &v)?.norm_squared() + &tangent(&self.h, &u)?.norm_squared();
        let root = |x: &BigInt| Dyadic::new(x.clone(), 0).sqrt_up();
        let rho = &slack.norm_squared().sqrt_up() + &(&self.eta.times(&3.into()) * &root(&self.n));
        let turned = &self.delta.times(&5.into()) * &low.norm_squared().sqrt_up();
        Ok((square, &(&rho + &turned) * &root(&(&self.n + self.problem.classes))))
    }

    fn gradient_at_most(&self, bound: &Dyadic) -> Result<bool, Fail> {
        let (square, error) = self.scaled_gradient()?;
        let bracket = &bound.times(&(&self.n * &self.problem.q)) - &error.times(&self.problem.t);
        Ok(!bracket.is_negative() && square.times(&(&self.problem.t * &self.problem.t)) <= bracket.square())
    }

    fn gradient_at_least(&self, bound: &Dyadic) -> Result<bool, Fail> {
        let (square, error) = self.scaled_gradient()?;
        let sum = &bound.times(&(&self.n * &self.problem.q)) + &error.times(&self.problem.t);
        Ok(square.times(&(&self.problem.t * &self.problem.t)) >= sum.square())
    }

    /// Whether Q(u, v) <= bound ||(dW, dH)||² is certain, u and v the tangent parts of dW and dH.
    ///
    /// N Q = Σ_i τ² Var_(p_i)(x'_i) + τ <r_i, x''_i>, x'_ki = <u_k, h_i> + <w_k, v_i>, x''_ki = 2 <u_k, v_i> - (|u_k|² + |v_i|²) <w_k, h_i>.
    /// Computed: A = Σ (P + S) (x̂' - c)² with c = Σ P x̂', and C = <P - Y, x̂''> + Σ S |x̂''|. Let B² = ||(dW, dH)||². Rounding moves u_k
    /// and v_i by at most 3 δ B, x' by 9 δ B with |x̂' - c| <= 4.4 B, p by 3 η p: the variance is at most A + (60 η + 81 δ) B². It
    /// moves x'' (|x̂''| <= 5 B²) by 32 δ B²: <r, x''> is at most C + (15 η + 64 δ) B². So
    ///
    /// q² N Q <= t² A + t q C + N B² (t q + t²) (60 η + 81 δ).
    fn curvature_at_most(&self, direction: &Triple, bound: &Dyadic) -> Result<bool, Fail> {
        let (u, v) = (tangent(&self.w, &direction.w)?, tangent(&self.h, &direction.h.transpose())?);
        let first = Mat::combine(&[(&self.one, &self.h.product(&u)?), (&self.one, &v.product(&self.w)?)])?;
        let second = self.bending(&u, &v)?;
        let (low, slack) = self.slope()?;
        let (mut variance, mut inner) = (Dyadic::default(), low.inner(&second));
        let one = Dyadic::new(1, 0);
        for (i, &label) in self.labels.iter().enumerate() {
            let mut p: Vec<Dyadic> = low.dyadics(i).collect();
            p[label] = &p[label] + &one;
            let centre = p.iter().zip(first.dyadics(i)).fold(Dyadic::default(), |c, (p, x)| &c + &(p * &x));
            for (((p, s), x), bend) in p.iter().zip(slack.dyadics(i)).zip(first.dyadics(i)).zip(second.dyadics(i)) {
                variance = &variance + &(&(p + &s) * &(&x - &centre).square());
                inner = &inner + &(&s * &Dyadic { m: bend.m.abs(), e: bend.e });
            }
        }
        let (t, q) = (&self.problem.t, &self.problem.q);
        let squares = &direction.w.norm_squared() + &direction.h.norm_squared();
        let moved = &self.eta.times(&60.into()) + &self.delta.times(&81.into());
        let moved = (&squares * &moved).times(&(&self.n * (t * q + t * t)));
        let total = &(&variance.times(&(t * t)) + &inner.times(&(t * q))) + &moved;
        Ok(total <= (bound * &squares).times(&(&self.n * q * q)))
    }

    /// x'' at the rounded vectors, transposed.
    fn bending(&self, u: &Mat, v: &Mat) -> Result<Mat, Fail> {
        let (products, cosines) = (v.product(u)?, self.h.product(&self.w)?);
        let squares = |x: &Mat| -> Vec<Dyadic> {
            (0..x.rows).map(|i| Dyadic { m: x.row(i).iter().map(|m| m * m).sum::<Int>().big().into_owned(), e: 2 * x.e }).collect()
        };
        let (us, vs) = (squares(u), squares(v));
        let e = products.e.min(2 * u.e).min(2 * v.e) + cosines.e;
        room(products.m.len(), (products.e.max(2 * u.e).max(2 * v.e) - e).unsigned_abs())?;
        let entry = |i: usize| {
            let (sample, class) = (i / self.w.rows, i % self.w.rows);
            let square = &us[class] + &vs[sample];
            let bent = &square * &Dyadic { m: cosines.m[i].big().into_owned(), e: cosines.e };
            &products.m[i].shifted(products.e + 1 - e) - &shifted(&bent.m, bent.e - e).into()
        };
        Ok(Mat { m: (0..products.m.len()).map(entry).collect(), e, ..products })
    }
}

/// The numbers of a column.
fn entries(x: &Mat) -> impl Iterator<Item = Dyadic> + '_ {
    x.m.iter().map(|m| Dyadic { m: m.big().into_owned(), e: x.e })
}

/// Rows divided by their lengths, every entry within 2 units of 2^-w.
///
/// With s = Σ m² and ρ = floor √(s 4^g) >= 2^(w+1), the quotient m 2^(w+g)/ρ exceeds m 2^w/√s by a share below 1/ρ of at most 2^w, less
/// than one unit; rounding it down moves it by less than another.
fn unit_rows(x: &Mat, w: usize, line: usize) -> Result<Mat, Fail> {
    let rows = parallel(x.rows, 30 * x.cols, |i| {
        let square = x.row(i).iter().map(|m| m * m).sum::<Int>().big().into_owned();
        let guard = (w + 2).saturating_sub(square.bits() as usize / 2);
        let root = (square << (2 * guard)).sqrt();
        let entry = |m: &Int| if root.is_zero() { Int::ZERO } else { (&*m.big() << (w + guard)).div_floor(&root).into() };
        (root.is_zero(), x.row(i).iter().map(entry).collect::<Vec<_>>())
    });
    if rows.iter().any(|(zero, _)| *zero) {
        return rejected(line, "a row of W or a column of H is zero and has no direction");
    }
    Ok(Mat { m: rows.into_iter().flat_map(|(_, row)| row).collect(), e: -(w as i64), ..*x })
}

/// y_j - <x_j, y_j> x_j for each row, exactly; x lies on the grid of the precision.
fn tangent(x: &Mat, y: &Mat) -> Result<Mat, Fail> {
    let shift = (-2 * x.e) as usize;
    room(y.m.len(), y.m.iter().map(Int::bits).max().unwrap_or(0) + shift as u64)?;
    let rows = parallel(x.rows, 10 * x.cols, |i| {
        let inner: Int = x.row(i).iter().zip(y.row(i)).map(|(x, y)| x * y).sum();
        x.row(i).iter().zip(y.row(i)).map(|(x, y)| &y.shifted(shift as i64) - &(&inner * x)).collect::<Vec<_>>()
    });
    Ok(Mat { rows: y.rows, cols: y.cols, e: y.e + 2 * x.e, m: rows.into_iter().flatten().collect() })
}

pub(crate) fn gap(reader: &mut Reader<'_>, sphere: &Sphere<'_>) -> Result<Claim, Fail> {
    let classes = sphere.problem.classes;
    let dual_line = reader.line + 1;
    let rt = reader.matrix("R", classes, Ok(classes))?.transpose();
    let a = reader.matrix("a", classes, Ok(1))?;
    let scale_line = reader.line + 1;
    let c = reader.matrix("c", classes, Ok(1))?;
    let factor_line = reader.line + 1;
    let factor = reader.matrix("L", classes, Err(classes))?;
    let mut bounds = vec![claimed(reader, "lower", false)?];
    for name in ["upper", "gap", "within-class", "alignment", "fit"] {
        bounds.push(claimed(reader, name, true)?);
    }
    if reader.rest.starts_with(b"claim gradient") {
        bounds.push(claimed(reader, "gradient", true)?);
    }
    reader.end()?;

    let [lower, upper, gap, within, alignment, fit, gradient @ ..] = bounds.as_slice() else {
        return reader.reject("a claim is missing");
    };
    let g = &gap.value;
    require(c.m.iter().all(|c| *c > Int::ZERO), scale_line, "the entries of c must be positive")?;
    require(&upper.value - &lower.value <= *g, gap.line, "the gap is smaller than claimed upper - claimed lower")?;
    // 2 g <= bound · min n_k/c_k.
    let covers = |bound: &Bound| {
        let mut scales = entries(&c).zip(&sphere.groups);
        scales.all(|(c, group)| (g * &c).times(&2.into()) <= bound.value.times(&group.count.into()))
    };
    require(covers(within), within.line, "within-class is smaller than 2 gap c_k/n_k for some class")?;
    require(covers(alignment), alignment.line, "alignment is smaller than 2 gap c_k/n_k for some class")?;
    require(*g <= fit.value, fit.line, "fit is smaller than the gap")?;
    let bounded = sphere.lower_at_least(&rt, &a, &c, dual_line, &lower.value)?;
    require(bounded, lower.line, "the dual matrix does not give this lower bound")?;
    sphere.feasible(&rt, &a, &c, &factor, factor_line)?;
    require(sphere.objective_at_most(&upper.value)?, upper.line, "the objective is not confirmed to be at most this")?;
    gradient.iter().try_for_each(|bound| small_gradient(sphere, bound))?;
    Ok(Claim { kind: Kind::Gap, bounds })
}

pub(crate) fn strict_saddle(reader: &mut Reader<'_>, sphere: &Sphere<'_>) -> Result<Claim, Fail> {
    let direction = crate::triple(reader, sphere.problem, ["dW", "dH", "db"])?;
    let (gradient, curvature) = (claimed(reader, "gradient", true)?, claimed(reader, "curvature", true)?);
    reader.end()?;
    require(curvature.value.is_negative(), curvature.line, "the curvature must be negative")?;
    require(!direction.is_zero(), curvature.line, "the direction is zero")?;
    small_gradient(sphere, &gradient)?;
    let curved = sphere.curvature_at_most(&direction, &curvature.value)?;
    require(curved, curvature.line, "the curvature is not confirmed to be at most this")?;
    Ok(Claim { kind: Kind::StrictSaddle, bounds: vec![gradient, curvature] })
}

pub(crate) fn not_critical(reader: &mut Reader<'_>, sphere: &Sphere<'_>) -> Result<Claim, Fail> {
    let gradient = claimed(reader, "gradient", false)?;
    reader.end()?;
    require(!gradient.value.is_negative() && !gradient.value.is_zero(), gradient.line, "the gradient must be positive")?;
    require(sphere.gradient_at_least(&gradient.value)?, gradient.line, "the gradient is not confirmed to be at least this")?;
    Ok(Claim { kind: Kind::NotCritical, bounds: vec![gradient] })
}

fn small_gradient(sphere: &Sphere<'_>, bound: &Bound) -> Result<(), Fail> {
    require(sphere.gradient_at_most(&bound.value)?, bound.line, "the gradient is not confirmed to be at most this")
}
