//! Collapse metrics against their definitions at 400 bits: every value lies within its own error bound.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rug::{Float, ops::Pow};
use ufm::metrics::{Accumulator, Bounded, Classifier, Convention, Features, Measured, formula, measure, measure_and_draw};

const BITS: u32 = 400;
/// What the issue demands of NC1 on hard data, relative.
const NC1_ACCURACY: f64 = 1e-10;

type Matrix = Vec<Vec<Float>>;

fn real(x: f64) -> Float {
    Float::with_val(BITS, x)
}

fn dot(x: &[Float], y: &[Float]) -> Float {
    x.iter().zip(y).fold(real(0.0), |s, (a, b)| s + Float::with_val(BITS, a * b))
}

fn square(m: &Matrix) -> Float {
    m.iter().fold(real(0.0), |s, row| s + dot(row, row))
}

/// X Yᵀ.
fn outer(x: &Matrix, y: &Matrix) -> Matrix {
    x.iter().map(|a| y.iter().map(|b| dot(a, b)).collect()).collect()
}

fn transpose(m: &Matrix) -> Matrix {
    (0..m[0].len()).map(|j| m.iter().map(|row| row[j].clone()).collect()).collect()
}

fn less(x: &[Float], y: &[Float]) -> Vec<Float> {
    x.iter().zip(y).map(|(a, b)| Float::with_val(BITS, a - b)).collect()
}

fn inverse(a: Matrix) -> Matrix {
    try_inverse(a).expect("a matrix of full rank")
}

/// `None` at a pivot that vanishes.
fn try_inverse(mut a: Matrix) -> Option<Matrix> {
    let n = a.len();
    for (i, row) in a.iter_mut().enumerate() {
        row.extend((0..n).map(|j| real(f64::from(u8::from(i == j)))));
    }
    for c in 0..n {
        let p = (c..n).max_by(|&i, &j| a[i][c].cmp_abs(&a[j][c]).unwrap()).unwrap();
        a.swap(c, p);
        let pivot = a[c].clone();
        if !pivot[c].is_normal() {
            return None;
        }
        for (i, row) in a.iter_mut().enumerate() {
            if i != c {
                let f = Float::with_val(BITS, &row[c] / &pivot[c]);
                for j in c..2 * n {
                    row[j] -= Float::with_val(BITS, &f * &pivot[j]);
                }
            } else {
                for x in row.iter_mut().rev() {
                    *x /= &pivot[c];
                }
            }
        }
    }
    Some(a.into_iter().map(|row| row[n..].to_vec()).collect())
}

/// Labelled data, with a classifier when one is drawn.
#[derive(Debug, Clone)]
struct Data {
    rows: Vec<f64>,
    labels: Vec<u32>,
    dim: usize,
    classifier: Option<Classifier>,
}

impl Data {
    fn measure(&self, convention: Convention) -> Measured {
        let features = Features::from_rows(self.rows.clone(), self.dim).unwrap();
        measure(&features, &self.labels, self.classifier.as_ref(), convention, &|_, _| ()).unwrap()
    }
}

/// All quantities of the definitions.
struct Exact {
    k: usize,
    d: usize,
    labels: Vec<u32>,
    h: Matrix,
    counts: Vec<f64>,
    /// Weights of the class means in the centre.
    weights: Vec<f64>,
    means: Matrix,
    centre: Vec<Float>,
    centred: Matrix,
    deviations: Matrix,
}

impl Exact {
    fn new(data: &Data, by_samples: bool, normalized: bool) -> Self {
        let d = data.dim;
        let k = *data.labels.iter().max().unwrap() as usize + 1;
        let mut h: Matrix = data.rows.chunks(d).map(|row| row.iter().map(|&x| real(x)).collect()).collect();
        if normalized {
            h.iter_mut().for_each(|row| unit(row));
        }
        let mut counts = vec![0.0; k];
        let mut means: Matrix = vec![vec![real(0.0); d]; k];
        for (row, &label) in h.iter().zip(&data.labels) {
            counts[label as usize] += 1.0;
            means[label as usize].iter_mut().zip(row).for_each(|(m, x)| *m += x);
        }
        means.iter_mut().zip(&counts).for_each(|(m, n)| m.iter_mut().for_each(|x| *x /= n));
        let weights = if by_samples { counts.clone() } else { vec![1.0; k] };
        let (mut centre, mut total) = (vec![real(0.0); d], 0.0);
        for (m, &weight) in means.iter().zip(&weights) {
            total += weight;
            centre.iter_mut().zip(m).for_each(|(c, x)| *c += Float::with_val(BITS, x * weight));
        }
        centre.iter_mut().for_each(|c| *c /= total);
        let centred = means.iter().map(|m| less(m, &centre)).collect();
        let deviations = h.iter().zip(&data.labels).map(|(row, &label)| less(row, &means[label as usize])).collect();
        Exact { k, d, labels: data.labels.clone(), h, counts, weights, means, centre, centred, deviations }
    }

    /// `tr(S_W S_B⁺)/K` for class means in general position.
    fn nc1(&self) -> Float {
        let n = self.h.len() as f64;
        if self.k > self.d {
            // S_B⁺ is the inverse of Σ m mᵀ/K.
            let columns = transpose(&self.centred);
            let inverse = inverse(outer(&columns, &columns));
            let scatter = {
                let c = transpose(&self.deviations);
                outer(&c, &c)
            };
            return inverse.iter().zip(&scatter).fold(real(0.0), |s, (a, b)| s + dot(a, b)) / n;
        }
        // ‖M̃⁺D‖² = tr(G⁺ G⁺ Z), Z = M̃ᵀ D Dᵀ M̃; G⁺ M̃ᵀ = (G + w wᵀ)⁻¹ M̃ᵀ as M̃ w = 0, w the weights of the centre.
        let mut gram = outer(&self.centred, &self.centred);
        let scale = gram[0][0].clone();
        for (row, a) in gram.iter_mut().zip(&self.weights) {
            row.iter_mut().zip(&self.weights).for_each(|(x, b)| *x += Float::with_val(BITS, &scale * (a * b)));
        }
        let inverse = inverse(gram);
        let projected = outer(&self.centred, &self.deviations);
        let image = outer(&inverse, &transpose(&projected));
        square(&image) / n
    }

    fn within(&self) -> Float {
        square(&self.deviations) / self.h.len() as f64
    }

    fn variances(&self) -> Vec<Float> {
        let mut v = vec![real(0.0); self.k];
        self.deviations.iter().zip(&self.labels).for_each(|(row, &l)| v[l as usize] += dot(row, row));
        v.iter_mut().zip(&self.counts).for_each(|(v, n)| *v /= n);
        v
    }

    fn cdnv(&self) -> Float {
        let v = self.variances();
        let (mut total, mut pairs) = (real(0.0), 0.0);
        for i in 0..self.k {
            for j in i + 1..self.k {
                let gap = less(&self.means[i], &self.means[j]);
                total += Float::with_val(BITS, &v[i] + &v[j]) / (2.0 * dot(&gap, &gap));
                pairs += 1.0;
            }
        }
        total / pairs
    }

    fn nearest(&self, x: &[Float]) -> usize {
        let distances: Vec<Float> = self
            .means
            .iter()
            .map(|m| {
                let g = less(x, m);
                dot(&g, &g)
            })
            .collect();
        first_least(&distances)
    }
}

/// Eigenvalues of a symmetric matrix, largest first, and its eigenvectors as rows: cyclic Jacobi rotations.
fn jacobi(mut a: Matrix) -> (Vec<Float>, Matrix) {
    let n = a.len();
    let mut v: Matrix = (0..n).map(|i| (0..n).map(|j| real(f64::from(u8::from(i == j)))).collect()).collect();
    for _ in 0..40 {
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q].is_zero() {
                    continue;
                }
                let theta: Float = Float::with_val(BITS, &a[q][q] - &a[p][p]) / (2.0 * a[p][q].clone());
                let sign = if theta < 0 { -1.0 } else { 1.0 };
                let t: Float = sign / (theta.clone().abs() + (theta.square() + 1.0f64).sqrt());
                let c = 1.0 / (t.clone().square() + 1.0f64).sqrt();
                let s = Float::with_val(BITS, &t * &c);
                for m in [&mut a, &mut v] {
                    let (upper, lower) = m.split_at_mut(q);
                    for (x, y) in upper[p].iter_mut().zip(&mut lower[0]) {
                        let (old_x, old_y) = (x.clone(), y.clone());
                        *x = Float::with_val(BITS, &c * &old_x) - Float::with_val(BITS, &s * &old_y);
                        *y = Float::with_val(BITS, &s * &old_x) + Float::with_val(BITS, &c * &old_y);
                    }
                }
                for row in &mut a {
                    let (x, y) = (row[p].clone(), row[q].clone());
                    row[p] = Float::with_val(BITS, &c * &x) - Float::with_val(BITS, &s * &y);
                    row[q] = Float::with_val(BITS, &s * &x) + Float::with_val(BITS, &c * &y);
                }
            }
        }
        let scale = square(&a);
        let off = (0..n).fold(real(0.0), |t, i| (0..n).filter(|&j| j != i).fold(t, |t, j| t + a[i][j].clone().square()));
        if off <= scale * real(2.0).pow(-2 * (BITS as i32 - 20)) {
            break;
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[j][j].partial_cmp(&a[i][i]).unwrap());
    (order.iter().map(|&i| a[i][i].clone()).collect(), order.iter().map(|&i| v[i].clone()).collect())
}

/// The rows' span, orthonormal, by Gram and Schmidt (twice); rows within the span of earlier ones are passed over.
fn orthonormal(rows: &Matrix) -> Matrix {
    let mut basis: Matrix = vec![];
    for row in rows {
        let (size, mut rest) = (dot(row, row), row.clone());
        for _ in 0..2 {
            for b in &basis {
                let product = dot(b, &rest);
                rest.iter_mut().zip(b).for_each(|(x, b)| *x -= Float::with_val(BITS, &product * b));
            }
        }
        if dot(&rest, &rest) > size * real(1e-90) {
            unit(&mut rest);
            basis.push(rest);
        }
    }
    basis
}

impl Exact {
    /// The r = min(d, K−1) leading singular values of the centred class means.
    fn singular_values(&self) -> Vec<Float> {
        let (values, _) = jacobi(outer(&self.centred, &self.centred));
        let r = self.d.min(self.k - 1);
        values.into_iter().take(r).map(|x| if x < 0 { real(0.0) } else { x.sqrt() }).collect()
    }

    /// Mean cosine of the principal angles between the span of the centred means and W's leading right singular space.
    fn overlap(&self, w: &Matrix) -> Float {
        let r = self.d.min(self.k - 1);
        let (_, vectors) = jacobi(outer(&transpose(w), &transpose(w)));
        let (means, top) = (orthonormal(&self.centred), vectors[..r].to_vec());
        assert_eq!(means.len(), r);
        let product = outer(&means, &top);
        let (squares, _) = jacobi(outer(&product, &product));
        squares.into_iter().fold(real(0.0), |t, x| t + if x < 0 { real(0.0) } else { x.sqrt() }) / r as f64
    }
}

/// `min_k dist(v_k, conv{v_j})` of the rows' directions: the nearest point lies inside a face whose vertices are affinely independent.
fn one_vs_rest(rows: &Matrix) -> Float {
    let mut v = rows.clone();
    v.iter_mut().for_each(|row| unit(row));
    let mut least = real(f64::INFINITY);
    for (k, point) in v.iter().enumerate() {
        let others: Vec<&Vec<Float>> = v.iter().enumerate().filter(|(j, _)| *j != k).map(|(_, row)| row).collect();
        for face in 1..1u32 << others.len() {
            let vertices: Vec<&Vec<Float>> = others.iter().enumerate().filter(|(j, _)| face >> j & 1 == 1).map(|(_, row)| *row).collect();
            let edges: Matrix = vertices[1..].iter().map(|row| less(row, vertices[0])).collect();
            let mut foot = vertices[0].clone();
            let mut inside = true;
            if !edges.is_empty() {
                let target = less(point, vertices[0]);
                // Vertices in general position only: those of the nearest point's face are.
                let Some(gram) = try_inverse(outer(&edges, &edges)) else { continue };
                let products: Vec<Float> = edges.iter().map(|e| dot(e, &target)).collect();
                let weights: Vec<Float> = gram.iter().map(|row| dot(row, &products)).collect();
                let total = weights.iter().fold(real(0.0), |t, x| t + x);
                inside = weights.iter().all(|x| *x >= 0.0) && total <= 1.0;
                for (weight, edge) in weights.iter().zip(&edges) {
                    foot.iter_mut().zip(edge).for_each(|(f, e)| *f += Float::with_val(BITS, weight * e));
                }
            }
            let gap = less(point, &foot);
            let distance = dot(&gap, &gap).sqrt();
            if inside && distance < least {
                least = distance;
            }
        }
    }
    least
}

fn first_least(values: &[Float]) -> usize {
    (0..values.len()).fold(0, |best, j| if values[j] < values[best] { j } else { best })
}

fn unit(row: &mut [Float]) {
    let norm = dot(row, row).sqrt();
    row.iter_mut().for_each(|x| *x /= &norm);
}

fn frame_distance(a: &Matrix, simplex: bool) -> Float {
    let k = a.len() as f64;
    let norm = square(a).sqrt();
    let mut total = real(0.0);
    for (i, row) in a.iter().enumerate() {
        for (j, x) in row.iter().enumerate() {
            let same = f64::from(u8::from(i == j));
            let target = if simplex { (real(same) - real(1.0) / k) / real(k - 1.0).sqrt() } else { real(same) / real(k).sqrt() };
            let gap = Float::with_val(BITS, x / &norm) - target;
            total += gap.square();
        }
    }
    total.sqrt()
}

fn equinorm(rows: &Matrix) -> Float {
    let norms: Vec<Float> = rows.iter().map(|r| dot(r, r).sqrt()).collect();
    let k = norms.len() as f64;
    let mean = norms.iter().fold(real(0.0), |s, x| s + x) / k;
    let variance = norms.iter().fold(real(0.0), |s, x| s + Float::with_val(BITS, x - &mean).square()) / k;
    variance.sqrt() / mean
}

fn equiangle(rows: &Matrix) -> Float {
    let k = rows.len();
    let (mut total, mut pairs) = (real(0.0), 0.0);
    for i in 0..k {
        for j in i + 1..k {
            let cosine = dot(&rows[i], &rows[j]) / (dot(&rows[i], &rows[i]) * dot(&rows[j], &rows[j])).sqrt();
            total += (cosine + real(1.0) / (k as f64 - 1.0)).abs();
            pairs += 1.0;
        }
    }
    total / pairs
}

fn alignment(w: &Matrix, m: &Matrix) -> Float {
    let (a, b) = (square(w).sqrt(), square(m).sqrt());
    let gap = |(x, y): (&Vec<Float>, &Vec<Float>)| -> Vec<Float> {
        x.iter().zip(y).map(|(x, y)| Float::with_val(BITS, x / &a) - Float::with_val(BITS, y / &b)).collect()
    };
    square(&w.iter().zip(m).map(gap).collect())
}

#[track_caller]
fn within(name: &str, found: Option<Bounded>, exact: &Float) {
    let Some(found) = found else { panic!("{name} is undefined; exact {}", exact.to_f64()) };
    let distance = (real(found.value) - exact).abs();
    assert!(
        distance <= found.bound,
        "{name}: {} ± {:e} but exactly {}, off by {:e}",
        found.value,
        found.bound,
        exact.to_f64(),
        distance.to_f64()
    );
}

/// Every metric within its bound of the definition, for one convention.
fn check(data: &Data, convention: Convention) {
    let by_samples = matches!(convention, Convention::Papyan | Convention::Rangamani);
    let normalized = convention == Convention::Normalized;
    let (m, x) = (data.measure(convention), Exact::new(data, by_samples, normalized));
    let quotient = x.within() / (square(&x.centred) / x.k as f64);
    match convention {
        Convention::Gnc => within("nc1", m.get("nc1"), &x.cdnv()),
        _ => {
            if let Some(nc1) = m.get("nc1") {
                let factor = if by_samples { x.k as f64 } else { 1.0 };
                within("nc1", Some(nc1), &(x.nc1() * factor));
                assert!(nc1.value >= 0.0);
            } else {
                assert!(m.warnings.iter().any(|w| w.starts_with("nc1")), "an undefined metric says why");
            }
        }
    }
    within("nc1_quotient", m.get("nc1_quotient"), &quotient);
    within("cdnv", m.get("cdnv"), &x.cdnv());
    within("nc2_etf", m.get("nc2_etf"), &frame_distance(&outer(&x.centred, &x.centred), true));
    within("nc2_of", m.get("nc2_of"), &frame_distance(&outer(&x.means, &x.means), false));
    within("equinorm_means", m.get("equinorm_means"), &equinorm(&x.centred));
    within("equiangle_means", m.get("equiangle_means"), &equiangle(&x.centred));
    let s = x.singular_values();
    let total = s.iter().fold(real(0.0), |t, s| t + s);
    let entropy = s.iter().map(|s| Float::with_val(BITS, s / &total)).filter(|p| *p > 0).fold(real(0.0), |t, p| t - p.clone().ln() * p);
    within("effective_rank_means", m.get("effective_rank_means"), &entropy.exp());
    within("stable_rank_means", m.get("stable_rank_means"), &(square(&x.centred) / s[0].clone().square()));
    match m.get("condition_means") {
        Some(condition) => within("condition_means", Some(condition), &Float::with_val(BITS, &s[0] / &s[s.len() - 1])),
        None => assert!(m.warnings.iter().any(|w| w.starts_with("condition_means"))),
    }
    if convention == Convention::Gnc {
        within("gnc2_means", m.get("gnc2_means"), &one_vs_rest(&x.centred));
    }
    let far = x.h.iter().zip(&x.labels).filter(|(h, l)| x.nearest(h) != **l as usize).count();
    within("ncc_error", m.get("ncc_error"), &(real(far as f64) / x.h.len() as f64));
    let Some(c) = &data.classifier else {
        assert!(m.metrics.iter().all(|(name, _)| !name.ends_with("_w") && !name.starts_with("nc3") && *name != "nc4"));
        return;
    };
    let mut w: Matrix = c.weights.chunks(x.d).map(|row| row.iter().map(|&x| real(x)).collect()).collect();
    if normalized {
        w.iter_mut().for_each(|row| unit(row));
    }
    within("nc2_etf_w", m.get("nc2_etf_w"), &frame_distance(&outer(&w, &w), true));
    within("nc2_of_w", m.get("nc2_of_w"), &frame_distance(&outer(&w, &w), false));
    within("equinorm_w", m.get("equinorm_w"), &equinorm(&w));
    within("equiangle_w", m.get("equiangle_w"), &equiangle(&w));
    let (etf, of) = (frame_distance(&outer(&w, &x.centred), true), frame_distance(&outer(&w, &x.means), false));
    let align = alignment(&w, &x.centred);
    within("nc3_etf", m.get("nc3_etf"), &etf);
    within("nc3_of", m.get("nc3_of"), &of);
    within("nc3_align", m.get("nc3_align"), &align);
    within("nc3_align_uncentred", m.get("nc3_align_uncentred"), &alignment(&w, &x.means));
    let cosine = |(w, m): (&Vec<Float>, &Vec<Float>)| dot(w, m) / (dot(w, w) * dot(m, m)).sqrt();
    let cosines = w.iter().zip(&x.means).map(cosine).fold(real(0.0), |t, c| t + (1.0 - c)) / x.k as f64;
    within("nc3_cos", m.get("nc3_cos"), &cosines);
    let nc3 = match convention {
        Convention::Zhu | Convention::Normalized => etf,
        Convention::TirerBruna => of,
        Convention::Gnc => cosines,
        Convention::Papyan => align,
        Convention::Rangamani if m.get("nc3").is_some() => x.overlap(&w),
        Convention::Rangamani => {
            assert!(m.warnings.iter().any(|w| w.starts_with("nc3 is undefined")));
            return;
        }
    };
    within("nc3", m.get("nc3"), &nc3);
    if convention == Convention::Rangamani {
        within("nc3_overlap", m.get("nc3_overlap"), &nc3);
    }
    if convention == Convention::Gnc {
        within("gnc2_w", m.get("gnc2_w"), &one_vs_rest(&w));
    }
    let logits = |h: &[Float]| -> Vec<Float> { w.iter().zip(&c.bias).map(|(w, b)| dot(w, h) + real(*b)).collect() };
    let at_centre = logits(&x.centre);
    let mean = at_centre.iter().fold(real(0.0), |s, z| s + z) / x.k as f64;
    within("bias_alignment_raw", m.get("bias_alignment_raw"), &dot(&at_centre, &at_centre).sqrt());
    let projected: Vec<Float> = at_centre.iter().map(|z| Float::with_val(BITS, z - &mean)).collect();
    within("bias_alignment", m.get("bias_alignment"), &dot(&projected, &projected).sqrt());
    let answer = |h: &[Float]| first_least(&logits(h).into_iter().map(|z| -z).collect::<Vec<_>>());
    let disagree = x.h.iter().filter(|h| answer(h) != x.nearest(h)).count();
    within("nc4", m.get("nc4"), &(real(disagree as f64) / x.h.len() as f64));
    if !normalized {
        counted(&m);
    }
    let wrong = x.h.iter().zip(&x.labels).filter(|(h, l)| answer(h) != **l as usize).count();
    within("classifier_error", m.get("classifier_error"), &(real(wrong as f64) / x.h.len() as f64));
}

/// Class means with singular values decaying by `decay`, an offset, isotropic noise.
fn synthetic(k: usize, d: usize, n: usize, decay: f64, offset: f64, sigma: f64, seed: u64) -> Data {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let modes: Vec<(Vec<f64>, Vec<f64>)> =
        (0..k - 1).map(|_| ((0..k).map(|_| normal()).collect(), (0..d).map(|_| normal()).collect())).collect();
    let mut means = vec![0.0; k * d];
    for (t, (left, right)) in modes.iter().enumerate() {
        let s = decay.powf(-(t as f64) / (k as f64 - 2.0).max(1.0)) / ((k * d) as f64).sqrt();
        for i in 0..k {
            for j in 0..d {
                means[i * d + j] += s * left[i] * right[j];
            }
        }
    }
    let mut rows = vec![];
    let mut labels = vec![];
    for class in 0..k {
        for _ in 0..n {
            rows.extend((0..d).map(|j| means[class * d + j] + offset / (d as f64).sqrt() + sigma * normal() / (d as f64).sqrt()));
            labels.push(class as u32);
        }
    }
    Data { rows, labels, dim: d, classifier: Some(Classifier { weights: means, bias: vec![0.0; k] }) }
}

fn nc1_accuracy(name: &str, data: &Data) {
    let exact = Exact::new(data, false, false).nc1();
    let found = data.measure(Convention::Zhu).get("nc1").unwrap_or_else(|| panic!("{name}: nc1 is defined"));
    within(name, Some(found), &exact);
    let relative = ((real(found.value) - &exact) / &exact).abs().to_f64();
    println!("{name}: nc1 {:e}, relative error {relative:.1e}, relative bound {:.1e}", found.value, found.bound / found.value);
    assert!(found.value >= 0.0 && relative <= NC1_ACCURACY, "{name}: relative error {relative:e}");
}

#[test]
fn nc1_survives_decaying_spectra() {
    for decay in [1e2, 1e3, 1e4] {
        nc1_accuracy(&format!("decay {decay:e}"), &synthetic(100, 128, 4, decay, 0.0, 0.1, 1));
    }
}

#[test]
fn nc1_survives_an_offset() {
    nc1_accuracy("offset 10", &synthetic(200, 96, 3, 1.0, 10.0, 0.1, 2));
    nc1_accuracy("offset 10, d >= K", &synthetic(200, 256, 3, 1.0, 10.0, 0.1, 2));
    nc1_accuracy("offset 1e6", &synthetic(20, 32, 5, 1.0, 1e6, 0.1, 3));
}

#[test]
fn nc1_survives_near_collapse() {
    nc1_accuracy("sigma 1e-6", &synthetic(100, 128, 4, 1.0, 0.0, 1e-6, 4));
    nc1_accuracy("sigma 1e-6 with an offset", &synthetic(50, 64, 4, 10.0, 10.0, 1e-6, 5));
}

/// The same data rounded to single precision, as most networks' features come.
fn single(mut data: Data) -> Data {
    data.rows.iter_mut().for_each(|x| *x = f64::from(*x as f32));
    data
}

#[test]
fn nc1_of_single_precision_features() {
    nc1_accuracy("f32, decay 1e4", &single(synthetic(100, 128, 4, 1e4, 0.0, 0.1, 1)));
    nc1_accuracy("f32, offset 10", &single(synthetic(200, 96, 3, 1.0, 10.0, 0.1, 2)));
    nc1_accuracy("f32, sigma 1e-6", &single(synthetic(100, 128, 4, 1.0, 0.0, 1e-6, 4)));
}

/// Every metric of every convention, balanced and not, fewer and more classes than dimensions.
#[test]
fn conventions_on_moderate_data() {
    for (k, d) in [(7, 9), (6, 4), (5, 4)] {
        let balanced = synthetic(k, d, 6, 3.0, 0.5, 0.4, 6);
        let mut imbalanced = balanced.clone();
        let keep = |i: usize| i % 6 <= (i / 6) % 4;
        imbalanced.rows = balanced.rows.chunks(d).enumerate().filter(|(i, _)| keep(*i)).flat_map(|(_, row)| row.to_vec()).collect();
        imbalanced.labels = balanced.labels.iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, l)| *l).collect();
        for (_, convention) in Convention::ALL {
            check(&balanced, convention);
            check(&imbalanced, convention);
            let measured = imbalanced.measure(convention);
            assert!(measured.get("nc1").is_some() && measured.get("nc3").is_some());
            assert!(measured.warnings.iter().any(|w| w.contains("imbalanced")));
        }
    }
}

#[test]
fn every_metric_has_a_formula() {
    let data = synthetic(5, 6, 4, 2.0, 0.1, 0.3, 1);
    for (_, convention) in Convention::ALL {
        for (name, _) in data.measure(convention).metrics {
            assert!(formula(name, convention).is_some(), "{name}");
        }
    }
    assert_eq!(formula("nc5", Convention::Zhu), None);
}

/// Pictures and spectra of a frame at collapse: the targets themselves.
#[test]
fn portraits_show_collapse() {
    let (k, d) = (6, 8);
    let entry = |i: usize, j: usize| f64::from(u8::from(i == j)) - if j < k { 1.0 / k as f64 } else { 0.0 };
    let frame: Vec<f64> = (0..k * d).map(|t| entry(t / d, t % d)).collect();
    let features = Features::from_rows([frame.clone(), frame.clone()].concat(), d).unwrap();
    let labels: Vec<u32> = (0..2 * k as u32).map(|i| i % k as u32).collect();
    let classifier = Classifier { weights: frame, bias: vec![0.0; k] };
    for side in [64, 4] {
        let (measured, portrait) = measure_and_draw(&features, &labels, Some(&classifier), Convention::Zhu, &|_, _| (), side).unwrap();
        assert_eq!(measured.metrics, measure(&features, &labels, Some(&classifier), Convention::Zhu, &|_, _| ()).unwrap().metrics);
        assert_eq!(portrait.pictures.iter().map(|p| p.targets.len()).collect::<Vec<_>>(), [1, 1, 2, 1]);
        for picture in &portrait.pictures {
            let (_, target) = &picture.targets[0];
            assert_eq!(picture.matrix.nrows(), side.min(k));
            let frame_of_means = picture.name != "M\u{1d40}M";
            assert_eq!((&picture.matrix - target).norm_l2() < 1e-14, frame_of_means, "{}", picture.name);
        }
        assert_eq!(portrait.between.len(), k - 1);
        assert!(portrait.between.iter().all(|s| (s - 1.0 / (k as f64).sqrt()).abs() < 1e-14));
        assert!(portrait.within.unwrap().is_empty(), "no variability within classes");
        assert_eq!(portrait.classifier.len(), k);
    }
}

fn entry() -> impl Strategy<Value = f64> {
    prop_oneof![6 => -2.0..2.0f64, 1 => Just(0.0), 1 => Just(1.0), 1 => -1e-9..1e-9f64, 1 => 1e6..1.000001e6f64]
}

fn data() -> impl Strategy<Value = Data> {
    (2usize..6, 1usize..6, 0usize..14, any::<bool>(), any::<bool>()).prop_flat_map(|(k, d, more, classified, single)| {
        let n = k + more;
        let rows = proptest::collection::vec(entry(), n * d);
        let extra = proptest::collection::vec(0..k as u32, more);
        (rows, extra, proptest::collection::vec(entry(), k * d), proptest::collection::vec(entry(), k)).prop_map(
            move |(mut rows, extra, weights, bias)| {
                if single {
                    rows.iter_mut().for_each(|x| *x = f64::from(*x as f32));
                }
                let labels = (0..k as u32).chain(extra).collect();
                Data { rows, labels, dim: d, classifier: classified.then_some(Classifier { weights, bias }) }
            },
        )
    })
}

/// Whether no norm, distance or angle of the definitions divides by (nearly) zero.
fn regular(data: &Data, normalized: bool) -> bool {
    let zero = |row: &[f64]| row.iter().all(|x| *x == 0.0);
    if data.rows.chunks(data.dim).any(zero) || data.classifier.as_ref().is_some_and(|c| c.weights.chunks(data.dim).any(zero)) {
        return false;
    }
    [false, true].iter().all(|&by_samples| {
        let x = Exact::new(data, by_samples, normalized);
        let apart = (0..x.k).all(|i| {
            (0..i).all(|j| {
                let g = less(&x.means[i], &x.means[j]);
                dot(&g, &g) > 1e-12
            })
        });
        apart && x.centred.iter().all(|m| dot(m, m) > 1e-12) && x.means.iter().all(|m| dot(m, m) > 1e-12)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn every_metric_is_within_its_bound(data in data(), choice in 0usize..6) {
        let convention = Convention::ALL[choice].1;
        prop_assume!(regular(&data, convention == Convention::Normalized));
        check(&data, convention);
    }

    /// Any split into updates and any tree of merges gives the same moments, within the bounds.
    #[test]
    fn merging_is_associative(data in data(), cuts in proptest::collection::vec(0usize..20, 3)) {
        let (k, d, n) = (*data.labels.iter().max().unwrap() as usize + 1, data.dim, data.labels.len());
        let part = |from: usize, to: usize| {
            let mut a = Accumulator::new(k, d);
            a.update(&data.rows[from * d..to * d], &data.labels[from..to]);
            a
        };
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(n)).collect();
        cuts.sort_unstable();
        let [a, b, c, e] = [part(0, cuts[0]), part(cuts[0], cuts[1]), part(cuts[1], cuts[2]), part(cuts[2], n)];
        let whole = part(0, n).finish().unwrap();
        let (mut left, mut right) = (a.clone(), c.clone());
        left.merge(&b);
        left.merge(&c);
        left.merge(&e);
        right.merge(&e);
        let mut tail = b.clone();
        tail.merge(&right);
        let mut tree = a;
        tree.merge(&tail);
        let exact = Exact::new(&data, false, false).variances();
        for moments in [whole, left.finish().unwrap(), tree.finish().unwrap()] {
            for (class, exact) in exact.iter().enumerate() {
                within("variance", Some(moments.variance(class)), exact);
            }
            within("trace", Some(moments.within_trace()), &Exact::new(&data, false, false).within());
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let data = synthetic(70, 150, 40, 10.0, 1.0, 0.9, 7);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| data.measure(Convention::Gnc).metrics)
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(5));
}

#[test]
fn collapse_itself() {
    // Simplex frame in three dimensions: every sample on its mean, W aligned.
    let frame = [[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]];
    let rows: Vec<f64> = frame.iter().flat_map(|v| [*v, *v, *v].concat()).collect();
    let labels = (0..12).map(|i| i / 3).collect();
    let classifier = Classifier { weights: frame.concat(), bias: vec![0.0; 4] };
    let data = Data { rows, labels, dim: 3, classifier: Some(classifier) };
    let m = data.measure(Convention::Gnc);
    for zero in ["nc1_quotient", "cdnv", "nc4", "ncc_error", "bias_alignment"] {
        assert_eq!(m.get(zero).unwrap().value, 0.0, "{zero}");
    }
    assert_eq!(data.measure(Convention::Zhu).get("nc1").unwrap().value, 0.0);
    for (name, exact) in [
        ("nc2_etf", 0.0),
        ("nc2_etf_w", 0.0),
        ("nc3_etf", 0.0),
        ("nc3_align", 0.0),
        ("equinorm_means", 0.0),
        ("equiangle_means", 0.0),
        ("stable_rank_means", 3.0),
        ("effective_rank_means", 3.0),
        ("condition_means", 1.0),
    ] {
        within(name, m.get(name), &real(exact));
    }
    for name in ["gnc2_means", "gnc2_w"] {
        within(name, m.get(name), &(real(4.0) / 3.0));
        assert!(m.get(name).unwrap().bound < 1e-8);
    }
}

/// Fractions are counts: their bound is the rounding of the quotient.
fn counted(m: &Measured) {
    for name in ["nc4", "ncc_error", "classifier_error"] {
        if let Some(fraction) = m.get(name) {
            assert!(fraction.bound < 1e-15, "{name}: {fraction:?}");
        }
    }
}

#[test]
fn ties_go_to_the_lowest_class() {
    // h = 1 is midway between the means 0 and 2: of class 0 and right, of class 1 and wrong.
    let tie = Data { rows: vec![-1.0, 1.0, 1.0, 3.0], labels: vec![0, 0, 1, 1], dim: 1, classifier: None };
    check(&tie, Convention::Zhu);
    let m = tie.measure(Convention::Zhu);
    within("ncc_error", m.get("ncc_error"), &(real(1.0) / 4.0));
    counted(&m);
    assert!(m.warnings.iter().any(|w| w.starts_with("2 comparisons") && w.contains("tied")), "{:?}", m.warnings);
    // Thirds are no doubles: means ±1/3 of three samples each, and 0 midway, in both classes.
    let rows = vec![-1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    let thirds = Data { rows, labels: vec![0, 0, 0, 1, 1, 1], dim: 1, classifier: None };
    within("ncc_error", thirds.measure(Convention::Zhu).get("ncc_error"), &(real(1.0) / 3.0));
    counted(&thirds.measure(Convention::Zhu));
    // Equal weights, and equal scores of different weights.
    let classifier = Classifier { weights: vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0], bias: vec![0.0; 3] };
    let rows = vec![3.0, 3.0, 3.0, 1.0, 0.0, 5.0, 0.0, 5.0, -4.0, 0.0, -4.0, 0.0];
    let tied = Data { rows, labels: vec![0, 0, 1, 1, 2, 2], dim: 2, classifier: Some(classifier) };
    check(&tied, Convention::Zhu);
    counted(&tied.measure(Convention::Zhu));
}

/// Samples moved off a tie by amounts down to the last place: the order of exact sums, which doubles cannot see.
#[test]
fn near_ties_are_decided_exactly() {
    let tiny = 2f64.powi(-60);
    for nudge in [0.0, tiny, -tiny, 2f64.powi(-200), -2f64.powi(-200)] {
        // The mean of class 1 is 2 + nudge/2; h = 1 is nearer to the mean 0 when nudge > 0, tied at 0.
        let rows = vec![-1.0, 1.0, 3.0 - 2f64.powi(-40), 1.0 + 2f64.powi(-40), nudge, 4.0];
        let data = Data { rows, labels: vec![0, 0, 1, 1, 1, 1], dim: 1, classifier: None };
        check(&data, Convention::Zhu);
        counted(&data.measure(Convention::Zhu));
        // Scores x·1 against x·1 + nudge.
        let classifier = Classifier { weights: vec![1.0, 1.0], bias: vec![0.0, nudge] };
        let data = Data { rows: vec![1.0, 1.5, 7.0, 6.0], labels: vec![0, 0, 1, 1], dim: 1, classifier: Some(classifier) };
        check(&data, Convention::Zhu);
        let m = data.measure(Convention::Zhu);
        counted(&m);
        within("classifier_error", m.get("classifier_error"), &(real(1.0) / 2.0));
        within("nc4", m.get("nc4"), &(real(1.0) / 2.0));
    }
}

#[test]
fn samples_that_bounds_do_not_decide() {
    let mut data = synthetic(12, 10, 60, 2.0, 0.3, 1.2, 8);
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let c = data.classifier.as_mut().unwrap();
    c.weights.iter_mut().for_each(|w| *w += 0.1 * (rng.random::<f64>() - 0.5));
    check(&data, Convention::Zhu);
    assert!(data.measure(Convention::Zhu).get("nc4").unwrap().value > 0.05, "the case is not trivial");
}

#[test]
fn coincident_means_are_undefined_with_a_reason() {
    let data = Data { rows: vec![1.0, 3.0, 1.0, 3.0, 5.0, 7.0], labels: vec![0, 0, 1, 1, 2, 2], dim: 1, classifier: None };
    let m = data.measure(Convention::Zhu);
    assert!(m.get("cdnv").is_none() && m.warnings.iter().any(|w| w.starts_with("cdnv")));
    let flat = Data { rows: vec![0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 1.0, 0.0], labels: vec![0, 1, 2, 0], dim: 2, classifier: None };
    let m = flat.measure(Convention::Zhu);
    assert!(m.get("nc1").is_none() && m.warnings.iter().any(|w| w.starts_with("nc1 is undefined")), "{:?}", m.warnings);
}
