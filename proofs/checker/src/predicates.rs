//! The predicates of FORMAT.md.
//!
//! Writing λ_W = w/q, λ_H = h/q, λ_b = b/q with integers, every predicate is multiplied by its denominators and becomes
//! a comparison of exact dyadic numbers. Matrices over samples are kept transposed: row i belongs to sample i.

use std::sync::OnceLock;

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Zero};

use crate::dyadic::Dyadic;
use crate::focal::Focal;
use crate::int::Int;
use crate::matrix::{Mat, room};
use crate::problem::{Bias, Group, Problem};
use crate::reader::{Fail, rejected};
use crate::series::{Fixed, MACHINE_BITS};

/// W (K x d), H (d x N) and b (K x 1) of a point or of a direction.
pub(crate) struct Triple {
    pub w: Mat,
    pub h: Mat,
    pub b: Option<Mat>,
}

/// A problem with a point, ready for evaluation.
pub(crate) struct Instance<'a> {
    pub problem: &'a Problem,
    pub point: &'a Triple,
    pub precision: usize,
    pub groups: Vec<Group>,
    pub focal: Option<Focal>,
    /// The group of each sample.
    labels: Vec<usize>,
    n: BigInt,
    one: BigInt,
    /// Zᵀ at the point, once computed.
    logits: OnceLock<Mat>,
}

impl<'a> Instance<'a> {
    pub fn new(problem: &'a Problem, point: &'a Triple, precision: usize) -> Self {
        let groups = problem.groups();
        let labels = groups.iter().enumerate().flat_map(|(g, group)| std::iter::repeat_n(g, group.count)).collect();
        let focal = problem.focusing.as_ref().map(|gamma| Focal::new(precision, gamma));
        let (n, one) = (problem.samples.into(), BigInt::one());
        Instance { problem, point, precision, groups, focal, labels, n, one, logits: OnceLock::new() }
    }

    /// The size of every class, when they have one.
    pub fn balanced(&self) -> Option<usize> {
        let n = self.groups.first()?.count;
        self.groups.iter().all(|group| group.count == n).then_some(n)
    }

    /// Whether no sample's target logit is below the mean of its logits.
    pub fn margins_nonnegative(&self) -> Result<bool, Fail> {
        let z = self.point_logits()?;
        let margin = |i: usize| &(&z.row(i)[self.labels[i]] * &z.cols.into()) - &z.row(i).iter().sum::<Int>();
        Ok((0..z.rows).all(|i| !margin(i).is_negative()))
    }

    /// Row i: the targets of group `rows_i`, α/K and 1 - α more at the tags. These multiples of 1/(q K) are rounded down, or `up`, on the
    /// grid 2^-precision; unless smoothed they are integers.
    fn targets(&self, rows: &[usize], up: bool) -> Result<Mat, Fail> {
        let (classes, (alpha, q)) = (self.problem.classes, &self.problem.smoothing);
        let scale = if alpha.is_zero() { 0 } else { self.precision };
        room(rows.len() * classes, scale as u64)?;
        let k = BigInt::from(classes);
        let unit = q * &k;
        let rounded = |numerator: BigInt| ((numerator << scale) + if up { &unit - 1 } else { BigInt::zero() }).div_floor(&unit);
        let (peak, floor) = (rounded((q - alpha) * &k + alpha), rounded(alpha.clone()));
        let (peak, floor) = (Int::from(peak), Int::from(floor));
        let mut m = vec![floor; rows.len() * classes];
        for (row, &group) in m.chunks_mut(classes).zip(rows) {
            self.groups[group].tags.iter().for_each(|&tag| row[tag] = peak.clone());
        }
        Ok(Mat { rows: rows.len(), cols: classes, e: -(scale as i64), m })
    }

    /// w||W||² + h||H||² + b||b||², that is q times the weighted squares.
    fn weighted(&self, at: &Triple) -> Dyadic {
        let p = self.problem;
        let matrices = &at.w.norm_squared().times(&p.w) + &at.h.norm_squared().times(&p.h);
        at.b.as_ref().map_or(matrices.clone(), |b| &matrices + &b.norm_squared().times(&p.b))
    }

    /// Zᵀ = (WH + b 1ᵀ)ᵀ with factors from two triples: Hᵀ Wᵀ of (`w`, `h`), plus the bias when given.
    fn logits(&self, w: &Mat, h: &Mat, b: Option<&Mat>) -> Result<Mat, Fail> {
        let z = h.transpose().product(w)?;
        match b {
            Some(b) => Mat::combine(&[(&self.one, &z), (&self.one, &b.repeated(z.rows)?)]),
            None => Ok(z),
        }
    }

    /// A - T, transposed, with T rounded up.
    fn minus_targets(&self, a: &Mat) -> Result<Mat, Fail> {
        Mat::combine(&[(&self.one, a), (&-&self.one, &self.targets(&self.labels, true)?)])
    }

    /// Target mass of each sample: its number of tags.
    fn masses(&self) -> Vec<usize> {
        self.labels.iter().map(|&g| self.groups[g].tags.len()).collect()
    }

    fn point_logits(&self) -> Result<&Mat, Fail> {
        if let Some(z) = self.logits.get() {
            return Ok(z);
        }
        let z = self.logits(&self.point.w, &self.point.h, self.point.b.as_ref())?;
        Ok(self.logits.get_or_init(|| z))
    }

    /// Whether f <= bound at the point is certain: 2 N q f = q · 2N L + N · (weighted squares), where 2N L is ||Z - Y||² or twice
    /// the sum of the sample losses.
    pub fn objective_at_most(&self, bound: &Dyadic) -> Result<bool, Fail> {
        let (z, q) = (self.point_logits()?, &self.problem.q);
        let loss = if let Some(focal) = &self.focal {
            focal.loss_upper(z, &self.labels).times(&2.into())
        } else if self.problem.ce {
            Fixed::new(self.precision).loss_upper(z, &self.targets(&self.labels, true)?, &self.masses()).times(&2.into())
        } else {
            self.minus_targets(z)?.norm_squared()
        };
        let objective = &loss.times(q) + &self.weighted(self.point).times(&self.n);
        Ok(objective <= bound.times(&(2 * &self.n * q)))
    }

    /// P2 and P3 for the dual matrix given as `rt` = Rᵀ (row g is r_g), whose section starts at `line`; then whether the bound it
    /// gives is certainly at least `bound`. With b = 1 unless the bias is regularized,
    ///
    /// 2 N² b · lower = N b · E - q ||Σ n_g r_g||²,   E = -Σ n_g (||r_g||² + 2 <t_g, r_g>) for mse, 2 Σ n_g m_g H(q_g/m_g) for ce,
    ///
    /// the last term for regularized bias only.
    pub fn lower_at_least(&self, rt: &Mat, line: usize, bound: &Dyadic) -> Result<bool, Fail> {
        let p = self.problem;
        let weighted = self.weighted_rows(rt);
        let every: Vec<usize> = (0..self.groups.len()).collect();
        let targets = self.targets(&every, false)?;
        let total = weighted.column_sums();
        if p.bias == Bias::Free && total.m.iter().any(|x| !x.is_zero()) {
            return rejected(line, "P2: with a free bias the sum of n_g r_g must be zero");
        }
        let energy = if p.ce {
            if rt.transpose().column_sums().m.iter().any(|x| !x.is_zero()) {
                return rejected(line, "P3: a column of R does not sum to zero");
            }
            let low = Mat::combine(&[(&self.one, rt), (&self.one, &targets)])?;
            if low.m.iter().any(Int::is_negative) {
                return rejected(line, "P3: a column of R plus its target has a negative entry");
            }
            let high = Mat::combine(&[(&self.one, rt), (&self.one, &self.targets(&every, true)?)])?;
            Fixed::new(self.precision).entropy_lower(&low, &high, &self.groups).times(&2.into())
        } else {
            &weighted.inner(&targets).times(&(-2).into()) - &weighted.inner(rt)
        };
        let (b, penalty) = match p.bias {
            Bias::Regularized => (p.b.clone(), total.norm_squared().times(&p.q)),
            _ => (BigInt::one(), Dyadic::default()),
        };
        let (n, nb) = (&self.n, &self.n * b);
        Ok(&energy.times(&nb) - &penalty >= bound.times(&(2 * n * nb)))
    }

    /// Row g times n_g.
    fn weighted_rows(&self, a: &Mat) -> Mat {
        let m = a.m.iter().enumerate().map(|(t, x)| x * &self.groups[t / a.cols].count.into()).collect();
        Mat { m, ..*a }
    }

    /// P1. With M = R D Rᵀ + L Lᵀ the matrix A = N² λ_W λ_H I - M has a_ii = c - m_ii and a_ij = -m_ij, c = N² w h / q², and
    /// m_ii >= 0: it is diagonally dominant exactly when Σ_j |m_ij| <= c in every row.
    pub fn radius(&self, rt: &Mat, l: &Mat, line: usize) -> Result<(), Fail> {
        let rdr = self.weighted_rows(rt).transpose().symmetric_product(&rt.transpose())?;
        let m = Mat::combine(&[(&self.one, &rdr), (&self.one, &l.symmetric_product(l)?)])?;
        let p = self.problem;
        let (limit, q2) = (Dyadic::new(&self.n * &self.n * &p.w * &p.h, 0), &p.q * &p.q);
        for i in 0..m.rows {
            let sum = m.row(i).iter().map(Int::abs).sum::<Int>();
            if (Dyadic { m: &*sum.big() * &q2, e: m.e }) > limit {
                return rejected(line, format!("P1: row {} of N² λ_W λ_H I - R D Rᵀ - L Lᵀ is not diagonally dominant", i + 1));
            }
        }
        Ok(())
    }

    /// But for the focal loss: N ∂L/∂Z at the point, transposed: A and S with A <= N ∂L/∂Z <= A + S entrywise; equality without S. With them, but for mse, m P_k
    /// and m S_k for probabilities P <= p <= P + S and masses m.
    fn slope(&self) -> Result<(Mat, Option<Soft>), Fail> {
        let z = self.point_logits()?;
        if !self.problem.ce {
            return Ok((self.minus_targets(z)?, None));
        }
        room(z.m.len(), 2 * self.precision as u64)?;
        let (p, spread) = Fixed::new(self.precision).softmax(z);
        let masses = self.masses();
        let heavy = |a: &Mat| Mat { m: a.m.iter().enumerate().map(|(t, x)| x * &masses[t / a.cols].into()).collect(), ..*a };
        let (high, low) = (self.targets(&self.labels, true)?, self.targets(&self.labels, false)?);
        let slack = Mat::combine(&[(&self.one, &heavy(&spread)), (&self.one, &high), (&-&self.one, &low)])?;
        Ok((self.minus_targets(&heavy(&p))?, Some(Soft { p, spread, slack, masses })))
    }

    /// (s, ε) such that N q ||∇f|| lies within ε of the square root of s. For mse ε = 0, unless the precision asks for machine integers
    /// and G is finer than these hold: then it is rounded down to their grid.
    ///
    /// With G = N ∂L/∂Z, N q ∇f = (q G Hᵀ + N w W, q Wᵀ G + N h H, q G 1 + N b b). Moving G by Δ moves it by at most
    /// q ||Δ|| sqrt(||H||² + ||W||² + N), since ||Δ Hᵀ|| <= ||Δ|| ||H|| and so on.
    pub fn scaled_gradient(&self) -> Result<(Dyadic, Dyadic), Fail> {
        let (p, Triple { w, h, b }) = (self.problem, self.point);
        let (mut low, mut slack) = if let Some(focal) = &self.focal {
            let z = self.point_logits()?;
            room(z.m.len(), 2 * self.precision as u64)?;
            let (low, slack) = focal.slope(z, &self.labels);
            (low, Some(slack))
        } else {
            let (low, soft) = self.slope()?;
            (low, soft.map(|soft| soft.slack))
        };
        let grid = -(MACHINE_BITS as i64);
        if slack.is_none() && self.precision <= MACHINE_BITS && low.e < grid {
            let m = low.m.iter().map(|x| x.shifted(low.e - grid)).collect();
            low = Mat { e: grid, m, ..low };
            slack = Some(Mat { m: vec![Int::ONE; low.m.len()], ..low });
        }
        let for_w = Mat::combine(&[(&p.q, &low.transpose().product(h)?), (&(&self.n * &p.w), w)])?;
        let for_h = Mat::combine(&[(&p.q, &low.product(&w.transpose())?), (&(&self.n * &p.h), &h.transpose())])?;
        let mut square = &for_w.norm_squared() + &for_h.norm_squared();
        let mut reach = &w.norm_squared() + &h.norm_squared();
        if let Some(b) = b {
            square = &square + &Mat::combine(&[(&p.q, &low.column_sums()), (&(&self.n * &p.b), b)])?.norm_squared();
            reach = &reach + &Dyadic::new(self.n.clone(), 0);
        }
        let error = slack.map(|s| (&s.norm_squared() * &reach).times(&(&p.q * &p.q)).sqrt_up());
        Ok((square, error.unwrap_or_default()))
    }

    /// Whether ||∇f|| <= bound is certain: s <= (N q bound - ε)² with the bracket not negative (so never for a negative bound).
    pub fn gradient_at_most(&self, bound: &Dyadic) -> Result<bool, Fail> {
        let (square, error) = self.scaled_gradient()?;
        let bracket = &bound.times(&(&self.n * &self.problem.q)) - &error;
        Ok(!bracket.is_negative() && square <= bracket.square())
    }

    /// Whether ||∇f|| >= bound >= 0 is certain: s >= (N q bound + ε)².
    pub fn gradient_at_least(&self, bound: &Dyadic) -> Result<bool, Fail> {
        let (square, error) = self.scaled_gradient()?;
        Ok(square >= (&bound.times(&(&self.n * &self.problem.q)) + &error).square())
    }

    /// Whether Q(v) <= bound ||v||² is certain.
    ///
    /// N q Q(v) = q { N <Z', hess L Z'> + <G, Z''> } + N (w||dW||² + h||dH||² + b||db||²). For mse the braces are ||Z'||² + <Z - Y, Z''>.
    /// For ce, with p the softmax of a sample, P <= p <= P + S, the Hessian term is m times the variance of z' under p, at most
    /// m Σ_k (P_k + S_k) (z'_k - c)² for every c (here c = Σ P_k z'_k), and <G, z''> <= <A, z''> + Σ_k S'_k max(z''_k, 0) when A <= G <= A + S'.
    pub fn curvature_at_most(&self, v: &Triple, bound: &Dyadic) -> Result<bool, Fail> {
        let first = Mat::combine(&[
            (&self.one, &self.logits(&v.w, &self.point.h, v.b.as_ref())?),
            (&self.one, &self.logits(&self.point.w, &v.h, None)?),
        ])?;
        let second = Mat::combine(&[(&2.into(), &self.logits(&v.w, &v.h, None)?)])?;
        let (low, soft) = self.slope()?;
        let mut loss = low.inner(&second);
        loss = &loss + &soft.map_or_else(|| first.norm_squared(), |soft| soft.variance_upper(&first, &second));
        let squares = &(&v.w.norm_squared() + &v.h.norm_squared()) + &v.b.as_ref().map_or(Dyadic::default(), Mat::norm_squared);
        let total = &loss.times(&self.problem.q) + &self.weighted(v).times(&self.n);
        Ok(total <= (bound * &squares).times(&(&self.n * &self.problem.q)))
    }
}

/// The softmax of every sample, P <= p <= P + `spread`, target masses m, and `slack` of N ∂L/∂Z.
struct Soft {
    p: Mat,
    spread: Mat,
    slack: Mat,
    masses: Vec<usize>,
}

impl Soft {
    /// Σ_samples Σ_k m (P_k + S_k) (z'_k - c)² + slack_k max(z''_k, 0).
    fn variance_upper(&self, first: &Mat, second: &Mat) -> Dyadic {
        let mut total = Dyadic::default();
        for (i, &mass) in self.masses.iter().enumerate() {
            let centre = self.p.dyadics(i).zip(first.dyadics(i)).fold(Dyadic::default(), |c, (p, z)| &c + &(&p * &z));
            let mut variance = Dyadic::default();
            for ((p, s), z) in self.p.dyadics(i).zip(self.spread.dyadics(i)).zip(first.dyadics(i)) {
                variance = &variance + &(&(&p + &s) * &(&z - &centre).square());
            }
            total = &total + &variance.times(&mass.into());
            for (s, zz) in self.slack.dyadics(i).zip(second.dyadics(i)) {
                total = if zz.is_negative() { total } else { &total + &(&s * &zz) };
            }
        }
        total
    }
}

impl Triple {
    pub fn is_zero(&self) -> bool {
        [Some(&self.w), Some(&self.h), self.b.as_ref()].into_iter().flatten().all(|x| x.m.iter().all(Int::is_zero))
    }
}
