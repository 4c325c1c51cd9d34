//! From a double-precision minimiser to one of hundreds or thousands of digits.

mod loss;

use faer::Mat;
use rug::{Integer, Rational};

use super::SolveError;
use crate::certify;
use crate::linalg::vector::{add_scaled, dot, zip_with};
use crate::problem::exact::{Plain, PlainError, rows_times_rows};
use crate::problem::{Dyadic, ExactPoint, Layout, Loss, Objective, Point, Problem};
use crate::scalar::Ball;
use loss::Linearised;

/// A point refined to many digits.
#[derive(Debug, Clone)]
pub struct Refined {
    pub point: ExactPoint,
    /// Whether the Newton corrections fell below the digits asked; otherwise the point is the most accurate one reached.
    pub converged: bool,
    /// −log2 of the estimated distance from the exact stationary point, in the largest entry. An estimate:
    /// [`certify`](crate::certify::certify) proves.
    pub bits: u32,
    /// Newton steps, each at twice the accuracy of the one before.
    pub steps: u32,
    /// Corrections of a Newton step, each solved in double precision against an exact residual.
    pub corrections: u32,
}

/// Exponents of the grids and their sums stay far inside an i32.
const MAX_DIGITS: u32 = 10_000_000;

impl Refined {
    /// [`Refined::bits`] in decimal digits.
    pub fn digits(&self) -> u32 {
        decimal(self.bits)
    }
}

fn decimal(bits: u32) -> u32 {
    (f64::from(bits) / std::f64::consts::LOG2_10) as u32
}

/// Bits of the grid of a step beyond the bits it aims at.
const GUARD: u32 = 32;
/// Bits of the first Newton step, from a double's point.
const FIRST_BITS: u32 = 128;
/// log2 of what the constants of Newton's method (Hessian's Lipschitz constant over its least curvature) may cost a step.
const CONSTANT: i64 = 16;
/// Bits kept when entries are cut to what a correction can feel.
const SLACK: i32 = 8;
/// Bits, and log2 N, that rounding may reach above the grid of a residual.
const ROUNDING: i64 = 16;
/// Bits, and log2 N, above the grid that rounding leaves in the gradient at a solution.
const NOISE: i64 = 8;
/// Bits one solve in double precision is asked for, and the relative residual it can be asked for at most.
const LEAF: i64 = 43;
const CG_TOLERANCE: f64 = 1e-13;
/// Relative residual that shows the size of a correction.
const PROBE: f64 = 1e-2;
/// Curvature below this share of the largest one met is rounding: the direction lies along the orbit.
const FLAT: f64 = 1e-14;
const MAX_CG: usize = 20_000;
/// A correction that gains fewer bits ends a Newton step.
const LEAST_GAIN: i64 = 3;

/// Refines a stationary point of the plain or multi-label model to `digits` decimal digits, all entries of W, H and b free.
///
/// Newton's method, `∇²f(x) δ = −∇f(x)`, at doubling precision: the gradient is evaluated to twice the bits x has, and the Newton
/// equation is solved by corrections e from conjugate gradients in double precision, `r ← r + ∇²f(x) e` in exact integer
/// arithmetic, each gaining 10 to 13 digits. Minimisers come in orbits (W Qᵀ, Q H): no gauge is imposed, because the residuals are
/// orthogonal to the orbit, where conjugate gradients then never step; the minimiser found is the one of the orbit nearest to the start.
///
/// Hypotheses: plain or multi-label model; a start where ∇f is small (1e-6 is ample) and ∇²f is positive
/// definite across the orbit. Guarantee: none about the point, which [`certify`](crate::certify::certify) takes to a claim; the
/// same bytes for any number of threads. Memory: at most a dozen copies of the point at
/// 3.33 `digits` + 50 bits an entry (refused beyond the machine's memory).
///
/// `progress` is told the digits reached after each step.
///
/// # Errors
/// [`SolveError`] for other models, digits beyond ten million, sizes beyond memory, a start of the wrong shape or with entries that are not finite.
///
/// ```
/// use ufm::{problem::Problem, solve::{SolveOptions, minimise, refine}};
/// let p = Problem::from_toml("model = 'plain'\nloss = 'ce'\nbias = 'free'\nclasses = 3\nper_class = 4\ndim = 5\nlambda_w = '0.01'\nlambda_h = '0.01'").unwrap();
/// let start = minimise(&p, &SolveOptions::default(), &mut |_| {}).unwrap().point;
/// let refined = refine(&p, &start, 100, &mut |_| {}).unwrap();
/// assert!(refined.converged && refined.bits > 332);
/// ```
pub fn refine(problem: &Problem, start: &Point, digits: u32, progress: &mut dyn FnMut(u32)) -> Result<Refined, SolveError> {
    if digits == 0 || digits > MAX_DIGITS {
        return Err(SolveError::Option { option: "digits", value: digits.to_string(), allowed: "1 to 10000000" });
    }
    let grid = (f64::from(digits) * std::f64::consts::LOG2_10).ceil() as u32 + GUARD / 2;
    problem.point_sizes_at(grid + GUARD)?;
    exact_model(problem)?;
    let objective = Objective::new(problem, None)?;
    objective.layout().flatten(start)?;
    let not_finite =
        || SolveError::Option { option: "start", value: "a point with an entry that is not finite".into(), allowed: "finite entries" };
    let point = start.to_exact().ok_or_else(not_finite)?;
    let refined = Search::new(problem, objective, point, grid)?.run(progress);
    if refined.converged {
        return Ok(refined);
    }
    // At a threshold a mode's curvature vanishes with the mode: Newton's method crawls towards zero, where the mode belongs exactly.
    let Some(reduced) = without_null_modes(problem, start)?.and_then(|point| point.to_exact()) else { return Ok(refined) };
    let second = Search::new(problem, Objective::new(problem, None)?, reduced, grid)?.run(progress);
    let value = |point: &ExactPoint| certify::objective(problem, point, 2 * (grid + GUARD));
    // Only where it is no saddle: not certainly above the point it replaces.
    let above = |(second, first): (Ball, Ball)| (second - first).is_positive();
    let lower = value(&second.point).zip(value(&refined.point)).is_some_and(|values| !above(values));
    Ok(if second.converged && lower { second } else { refined })
}

/// The model in exact arithmetic, and the focusing of a focal loss.
fn exact_model(problem: &Problem) -> Result<(Plain, Option<Rational>), SolveError> {
    let model = match &problem.loss {
        Loss::Focal { focusing } => Plain::hard(problem).map(|plain| (plain, Some(focusing.clone()))),
        _ => Plain::new(problem).map(|plain| (plain, None)),
    };
    model.map_err(|e| match e {
        PlainError::Spec(e) => SolveError::Spec(e),
        _ => SolveError::Unsupported("refinement covers the plain and the multi-label model".into()),
    })
}

/// Singular values of logits below this may belong to modes that are zero: at a threshold the objective is quartic in a mode's size, and
/// double precision brings it no further down than this.
const NULL_MODE: f64 = 1e-6;

/// The point turned (W ← W V, H ← Vᵀ H, which changes nothing) so that each mode of W has a coordinate of its own, and coordinates of
/// modes close to zero set to zero; `None` when there is no such mode.
fn without_null_modes(problem: &Problem, start: &Point) -> Result<Option<Point>, SolveError> {
    let [w, ..] = start.factors.as_slice() else { return Ok(None) };
    let lambdas = problem.lambdas();
    // λ_W σ_W² = λ_H σ_H² at a stationary point: the mode of WH is σ_W² √(λ_W/λ_H).
    let ratio = (lambdas[1].to_f64() / lambdas[0].to_f64()).sqrt();
    let gram = w.transpose() * w;
    let Some((squares, v)) = crate::linalg::eigh(gram.as_ref()) else { return Ok(None) };
    let null = |j: usize| squares[j].max(0.0) * ratio <= NULL_MODE;
    let d = squares.len();
    if !(0..d).any(|j| null(j) && squares[j] != 0.0) {
        return Ok(None);
    }
    let mut point = Point { factors: vec![w * &v], h: v.transpose() * &start.h, b: start.b.clone() };
    for j in (0..d).filter(|&j| null(j)) {
        point.factors[0].col_mut(j).fill(0.0);
        point.h.row_mut(j).fill(0.0);
    }
    point.snap();
    Ok(Some(point))
}

/// Variables or gradients: the blocks W, H, b, each an exact matrix.
struct Blocks {
    w: Dyadic,
    h: Dyadic,
    b: Option<Dyadic>,
}

impl Blocks {
    fn each(&self) -> impl Iterator<Item = &Dyadic> {
        [&self.w, &self.h].into_iter().chain(&self.b)
    }

    fn each_mut(&mut self) -> impl Iterator<Item = &mut Dyadic> {
        [&mut self.w, &mut self.h].into_iter().chain(&mut self.b)
    }

    /// Zero on the grid 2^exp, of the same shapes.
    fn zeros(&self, exp: i32) -> Blocks {
        let zero = |x: &Dyadic| Dyadic { exp, m: vec![Integer::new(); x.m.len()], ..*x };
        Blocks { w: zero(&self.w), h: zero(&self.h), b: self.b.as_ref().map(zero) }
    }

    /// log2 of the largest entry, rounded up; `None` for zero.
    fn log2(&self) -> Option<i64> {
        self.each().filter_map(log2).max()
    }

    /// The flat vector in double precision (matrices column by column), scaled by 2^shift.
    fn to_f64(&self, layout: &Layout, shift: i64) -> Vec<f64> {
        let mat = |x: &Dyadic| Mat::from_fn(x.rows, x.cols, |i, j| ldexp(&x.m[i * x.cols + j], x.exp as i64 + shift));
        let b = self.b.as_ref().map(|b| b.m.iter().map(|m| ldexp(m, b.exp as i64 + shift)).collect());
        let point = Point { factors: vec![mat(&self.w)], h: mat(&self.h), b };
        layout.flatten(&point).unwrap_or_default()
    }
}

fn log2(x: &Dyadic) -> Option<i64> {
    let bits = x.m.iter().map(Integer::significant_bits).max().filter(|&b| b > 0)?;
    Some(bits as i64 + x.exp as i64)
}

/// m · 2^e in double precision.
fn ldexp(m: &Integer, e: i64) -> f64 {
    let (mantissa, exponent) = m.to_f64_exp();
    let e = exponent as i64 + e;
    // Two factors: 2^e alone may overflow where the result does not.
    if e < -1100 { 0.0 } else { mantissa * 2f64.powi((e / 2) as i32) * 2f64.powi((e - e / 2) as i32) }
}

struct Search {
    plain: Plain,
    /// Of the focal loss.
    focusing: Option<Rational>,
    objective: Objective,
    x: Blocks,
    /// Bits aimed at.
    grid: u32,
    corrections: u32,
}

impl Search {
    fn new(problem: &Problem, objective: Objective, point: ExactPoint, grid: u32) -> Result<Self, SolveError> {
        let (plain, focusing) = exact_model(problem)?;
        let ExactPoint { mut factors, h, b } = point;
        Ok(Self { plain, focusing, objective, x: Blocks { w: factors.remove(0), h, b }, grid, corrections: 0 })
    }

    fn point(&self) -> ExactPoint {
        ExactPoint { factors: vec![self.x.w.clone()], h: self.x.h.clone(), b: self.x.b.clone() }
    }

    fn run(mut self, progress: &mut dyn FnMut(u32)) -> Refined {
        let mut bits = FIRST_BITS.min(self.grid);
        let (mut steps, mut reached, mut converged) = (0, 0, false);
        while let Some(step) = self.newton(bits) {
            steps += 1;
            let next = step.reached(bits);
            progress(decimal(next));
            if next <= reached {
                break;
            }
            reached = next;
            if reached == self.grid {
                converged = true;
                break;
            }
            bits = (2 * reached).max(bits).min(self.grid);
        }
        // The grid has half a guard beyond the digits asked.
        converged |= reached + GUARD / 2 >= self.grid;
        Refined { point: self.point(), converged, bits: reached, steps, corrections: self.corrections }
    }

    /// One Newton step on the grid 2^-(bits + GUARD); `None` when the Newton equation cannot be solved from here.
    fn newton(&mut self, bits: u32) -> Option<Step> {
        let grid = -((bits + GUARD) as i32);
        for block in self.x.each_mut() {
            *block = block.clone().rounded(grid);
        }
        let (at, residual) = self.linearise(bits + GUARD)?;
        let layout = self.objective.layout().clone();
        let x = self.x.to_f64(&layout, 0);
        self.objective.value_gradient(&x, &mut vec![0.0; x.len()]);
        self.objective.accept();
        let bits = i64::from(bits);
        // A residual that rounding alone may leave has no direction to follow.
        let noise = i64::from(grid) + i64::from(self.plain.n.ilog2()) + NOISE;
        if residual.log2().is_none_or(|log2| log2 <= noise) {
            return Some(Step { correction: bits, solved: bits });
        }
        let probe = self.correction(&x, &residual, PROBE)?.0.log2();
        let Some(correction) = probe.map(|log2| -log2).filter(|&c| c < bits) else {
            return Some(Step { correction: bits, solved: bits });
        };
        // Newton's method squares the error: more of the correction than its own size means nothing, nor what falls below the grid.
        let wanted = correction.min(bits + CONSTANT - correction);
        if wanted < LEAST_GAIN {
            return None;
        }
        let (delta, solved) = self.solve(&at, &x, &residual, wanted)?;
        self.x.each_mut().zip(delta.each()).for_each(|(x, delta)| accumulate(x, delta, Sign::Plus));
        // The probe may have missed flat directions: the correction itself tells its size.
        let correction = delta.log2().map_or(correction, |log2| -log2);
        (correction > 0).then_some(Step { correction, solved })
    }

    /// δ with N ∇²f(x) δ = r up to 2^-wanted of r, and the bits really reached. `None` when r is no direction of positive curvature.
    ///
    /// Half of the bits, the residual of that, the other half: the residual at full length is formed once, at half length twice, and
    /// so on down to what double precision solves.
    fn solve(&mut self, at: &Linearised, x: &[f64], residual: &Blocks, wanted: i64) -> Option<(Blocks, i64)> {
        if wanted <= LEAF {
            self.corrections += 1;
            return self.correction(x, residual, CG_TOLERANCE.max(2f64.powi(-(wanted as i32))));
        }
        let top = residual.log2()?;
        let leaves = (wanted + LEAF - 1) / LEAF;
        let (mut delta, first) = self.solve(at, x, residual, LEAF * (leaves / 2))?;
        let grid = (top - wanted - i64::from(self.plain.n.ilog2()) - ROUNDING) as i32;
        let rest = self.advance(at, &delta, residual, grid);
        let gained = top - rest.log2().unwrap_or(top - wanted);
        if gained >= wanted || gained < LEAST_GAIN {
            return Some((delta, gained.min(first)));
        }
        let (rest, solved) = self.solve(at, x, &rest, wanted - gained)?;
        for (delta, rest) in delta.each_mut().zip(rest.each()) {
            *delta = sum(delta, rest);
        }
        Some((delta, gained + solved))
    }

    /// −N ∇f on the grid 2^-work, with what Hessian products need.
    fn linearise(&self, work: u32) -> Option<(Linearised, Blocks)> {
        let (plain, x, grid) = (&self.plain, &self.x, -(work as i32));
        let point = self.point();
        let at = Linearised::new(plain, self.focusing.as_ref(), &point, work)?;
        let loss = &at.gradient;
        let mut residual = x.zeros(grid);
        accumulate(&mut residual.w, &rows_times_rows(loss, &x.h), Sign::Minus);
        accumulate(&mut residual.h, &rows_times_rows(&x.w.transpose(), &loss.transpose()), Sign::Minus);
        residual.b.iter_mut().for_each(|b| accumulate(b, &row_sums(loss), Sign::Minus));
        self.subtract_penalties(&mut residual, x);
        Some((at, residual))
    }

    /// Subtracts N λ_W X_W, N λ_H X_H and N λ_b X_b.
    fn subtract_penalties(&self, from: &mut Blocks, x: &Blocks) {
        let plain = &self.plain;
        let zero = Rational::new();
        let lambdas = [&plain.lambda_w, &plain.lambda_h, plain.lambda_b().unwrap_or(&zero)];
        for ((target, x), lambda) in from.each_mut().zip(x.each()).zip(lambdas) {
            let weight = Rational::from(lambda * Integer::from(plain.n));
            let m = x.m.iter().map(|m| Integer::from(m * weight.numer())).collect();
            let mut scaled = Dyadic { m, ..*x }.rounded(target.exp);
            scaled.m.iter_mut().for_each(|m| *m /= weight.denom());
            accumulate(target, &scaled, Sign::Minus);
        }
    }

    /// An approximate solution e of N ∇²f(x) e = r from double precision, entries of 53 bits, and −log2 of the residual it leaves.
    fn correction(&mut self, x: &[f64], residual: &Blocks, tolerance: f64) -> Option<(Blocks, i64)> {
        let layout = self.objective.layout().clone();
        let Some(size) = residual.log2() else { return Some((residual.zeros(0), i64::from(i32::MAX))) };
        let mut r = residual.to_f64(&layout, -size);
        r.iter_mut().for_each(|r| *r /= self.plain.n as f64);
        let (e, left) = conjugate_gradients(&mut self.objective, x, &r, tolerance)?;
        let mut point = layout.point(&e);
        point.snap();
        let ExactPoint { mut factors, h, b } = point.to_exact()?;
        let mut e = Blocks { w: factors.remove(0), h, b };
        e.each_mut().for_each(|block| block.exp += size as i32);
        // An exact solution leaves nothing, whose logarithm is infinite.
        Some((e, (-left.log2().ceil()).min(f64::from(i32::MAX)) as i64))
    }

    /// r − N ∇²f(x) e on the grid 2^grid:
    ///
    /// `Ż = E_W H + W E_H + e_b 1ᵀ`, `S = N L''(Z)[Ż]`, and the blocks of the product are `S Hᵀ + R E_Hᵀ + N λ_W E_W`,
    /// `Wᵀ S + E_Wᵀ R + N λ_H E_H`, `S 1 + N λ_b e_b`, where R = N ∇L(Z).
    fn advance(&self, at: &Linearised, e: &Blocks, residual: &Blocks, grid: i32) -> Blocks {
        // An entry of x, R or p that meets e need not be finer than the grid over the size of e.
        let coarse = (grid - e.log2().unwrap_or(0) as i32 - SLACK).min(-SLACK);
        let cut = |x: &Dyadic| x.clone().rounded_below(coarse);
        let (w, h, loss) = (cut(&self.x.w), cut(&self.x.h), cut(&at.gradient));
        let mut z = rows_times_rows(&e.w, &h.transpose()).rounded(grid);
        accumulate(&mut z, &rows_times_rows(&w, &e.h.transpose()), Sign::Plus);
        if let Some(b) = &e.b {
            let b = b.clone().rounded(grid);
            for (row, b) in z.m.chunks_mut(self.plain.n).zip(&b.m) {
                row.iter_mut().for_each(|z| *z += b);
            }
        }
        at.apply(&self.plain, &mut z, coarse);
        let round = |x: &Dyadic| x.clone().rounded(grid);
        let mut rest = Blocks { w: round(&residual.w), h: round(&residual.h), b: residual.b.as_ref().map(round) };
        accumulate(&mut rest.w, &rows_times_rows(&z, &h), Sign::Minus);
        accumulate(&mut rest.w, &rows_times_rows(&loss, &e.h), Sign::Minus);
        accumulate(&mut rest.h, &rows_times_rows(&w.transpose(), &z.transpose()), Sign::Minus);
        accumulate(&mut rest.h, &rows_times_rows(&e.w.transpose(), &loss.transpose()), Sign::Minus);
        rest.b.iter_mut().for_each(|b| accumulate(b, &row_sums(&z), Sign::Minus));
        self.subtract_penalties(&mut rest, e);
        rest
    }
}

/// What a Newton step did, in bits: −log2 of its largest entry, and how far the residual of its equation fell.
struct Step {
    correction: i64,
    solved: i64,
}

impl Step {
    /// Bits right after the step: the error is squared (times a constant), or the share of the correction left unsolved, or the grid.
    fn reached(&self, bits: u32) -> u32 {
        let squared = 2 * self.correction - CONSTANT;
        let unsolved = if self.solved >= i64::from(bits) { i64::from(bits) } else { self.correction + self.solved - CONSTANT };
        squared.min(unsolved).clamp(0, i64::from(bits)) as u32
    }
}

/// x ← x ± y, y cut to the grid of x.
fn accumulate(x: &mut Dyadic, y: &Dyadic, sign: Sign) {
    let shift = y.exp - x.exp;
    for (x, y) in x.m.iter_mut().zip(&y.m) {
        let y = if shift >= 0 { Integer::from(y << shift as u32) } else { Integer::from(y >> shift.unsigned_abs()) };
        match sign {
            Sign::Plus => *x += y,
            Sign::Minus => *x -= y,
        }
    }
}

#[derive(Clone, Copy)]
enum Sign {
    Plus,
    Minus,
}

/// x + y exactly, on the finer of the two grids.
fn sum(x: &Dyadic, y: &Dyadic) -> Dyadic {
    let mut total = x.clone().rounded(x.exp.min(y.exp));
    accumulate(&mut total, y, Sign::Plus);
    total
}

/// X 1.
fn row_sums(x: &Dyadic) -> Dyadic {
    Dyadic { rows: x.rows, cols: 1, exp: x.exp, m: x.m.chunks(x.cols.max(1)).map(|row| row.iter().sum()).collect() }
}

/// An approximate solution of ∇²f(x) e = r, r not zero, and its relative residual, at the accepted point x, which is a minimum across its orbit: no gauge is fixed, as r and
/// with it every direction is orthogonal to the orbit. `None` when r itself is no direction of positive curvature.
fn conjugate_gradients(objective: &mut Objective, x: &[f64], r: &[f64], tolerance: f64) -> Option<(Vec<f64>, f64)> {
    let parallel = objective.parallel();
    let mut e = vec![0.0; r.len()];
    let (mut residual, mut direction, mut product) = (r.to_vec(), r.to_vec(), vec![0.0; r.len()]);
    let mut square = dot(&residual, &residual, parallel);
    let start = square;
    let target = tolerance * tolerance * start;
    let mut steepest = 0.0f64;
    for iteration in 0..(2 * r.len() + 10).min(MAX_CG) {
        if square <= target {
            break;
        }
        objective.hessian_product(x, &direction, &mut product);
        let curvature = dot(&direction, &product, parallel);
        let length = dot(&direction, &direction, parallel);
        steepest = steepest.max(curvature / length);
        if curvature.is_nan() || curvature <= FLAT * steepest * length {
            if iteration == 0 {
                return None;
            }
            break;
        }
        let alpha = square / curvature;
        add_scaled(&mut e, alpha, &direction, parallel);
        add_scaled(&mut residual, -alpha, &product, parallel);
        let next = dot(&residual, &residual, parallel);
        let beta = next / square;
        square = next;
        zip_with(&mut direction, &residual, parallel, |r, d| r + beta * d);
    }
    // The recurrence may have drifted from the residual itself.
    objective.hessian_product(x, &e, &mut product);
    zip_with(&mut product, r, parallel, |r, p| r - p);
    Some((e, (dot(&product, &product, parallel) / start).sqrt()))
}
