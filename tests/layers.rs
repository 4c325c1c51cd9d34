//! Intermediate collapse against its definitions at 400 bits, from decompositions of another kind (Jacobi rotations).

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rug::Float;
use ufm::metrics::{Convention, Features, LayerMap, Measured, effective_depth, map_metrics, measure, natural_order};

const BITS: u32 = 400;

type Matrix = Vec<Vec<Float>>;

fn real(x: f64) -> Float {
    Float::with_val(BITS, x)
}

fn dot(x: &[Float], y: &[Float]) -> Float {
    x.iter().zip(y).fold(real(0.0), |s, (a, b)| s + Float::with_val(BITS, a * b))
}

/// X Yᵀ.
fn outer(x: &Matrix, y: &Matrix) -> Matrix {
    x.iter().map(|a| y.iter().map(|b| dot(a, b)).collect()).collect()
}

/// Left singular vectors (as rows) and singular values of the rows of `a` taken as vectors: one-sided Jacobi, largest first.
///
/// Pairs of rows are rotated until all are orthogonal; the rotations leave the singular values and the span of any leading rows.
fn jacobi(mut a: Matrix) -> (Matrix, Vec<Float>) {
    let n = a.len();
    let tiny = real(1.0) >> 380u32;
    for _ in 0..60 {
        let mut turned = false;
        for i in 0..n {
            for j in i + 1..n {
                let (p, q, c) = (dot(&a[i], &a[i]), dot(&a[j], &a[j]), dot(&a[i], &a[j]));
                if Float::with_val(BITS, c.abs_ref()) <= Float::with_val(BITS, &p * &q).sqrt() * &tiny {
                    continue;
                }
                turned = true;
                let zeta = Float::with_val(BITS, &q - &p) / (Float::with_val(BITS, &c * 2u32));
                let sign = if zeta < 0 { -1.0 } else { 1.0 };
                let root = (Float::with_val(BITS, zeta.square_ref()) + 1u32).sqrt();
                let t = real(sign) / (Float::with_val(BITS, zeta.abs_ref()) + root);
                let cosine = real(1.0) / (Float::with_val(BITS, t.square_ref()) + 1u32).sqrt();
                let sine = Float::with_val(BITS, &t * &cosine);
                for k in 0..a[i].len() {
                    let (x, y) = (a[i][k].clone(), a[j][k].clone());
                    a[i][k] = Float::with_val(BITS, &cosine * &x) - Float::with_val(BITS, &sine * &y);
                    a[j][k] = Float::with_val(BITS, &sine * &x) + Float::with_val(BITS, &cosine * &y);
                }
            }
        }
        if !turned {
            break;
        }
    }
    a.sort_by(|x, y| dot(y, y).partial_cmp(&dot(x, x)).unwrap());
    let values: Vec<Float> = a.iter().map(|row| dot(row, row).sqrt()).collect();
    let unit = a.iter().zip(&values).map(|(row, s)| row.iter().map(|x| Float::with_val(BITS, x / s)).collect()).collect();
    (unit, values)
}

/// Class means less their mean.
fn centred_means(rows: &[f64], labels: &[u32], d: usize) -> Matrix {
    let k = *labels.iter().max().unwrap() as usize + 1;
    let mut means: Matrix = vec![vec![real(0.0); d]; k];
    for (row, &label) in rows.chunks(d).zip(labels) {
        let count = labels.iter().filter(|l| **l == label).count() as u32;
        means[label as usize].iter_mut().zip(row).for_each(|(m, x)| *m += real(*x) / count);
    }
    let centre: Vec<Float> = (0..d).map(|j| means.iter().fold(real(0.0), |s, m| s + &m[j]) / k as u32).collect();
    means.iter().map(|m| m.iter().zip(&centre).map(|(x, c)| Float::with_val(BITS, x - c)).collect()).collect()
}

struct Layer {
    rows: Vec<f64>,
    labels: Vec<u32>,
    dim: usize,
    map: LayerMap,
}

impl Layer {
    fn measured(&self) -> Measured {
        measure(&Features::from_rows(self.rows.clone(), self.dim).unwrap(), &self.labels, None, Convention::Zhu, &|_, _| ()).unwrap()
    }
}

/// Normal entries; the map reads what the class means span, up to `noise`.
fn layer(k: usize, d: usize, rows: usize, noise: f64, seed: u64) -> Layer {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let means: Vec<f64> = (0..k * d).map(|_| normal()).collect();
    let labels: Vec<u32> = (0..3 * k as u32).map(|i| i % k as u32).collect();
    let features: Vec<f64> =
        labels.iter().flat_map(|&l| (0..d).map(move |j| (l as usize, j))).map(|(l, j)| means[l * d + j] + 0.1 * normal()).collect();
    let mix: Vec<f64> = (0..rows * k).map(|_| normal()).collect();
    let entry = |r: usize, c: usize, noise: f64| (0..k).map(|t| mix[r * k + t] * means[t * d + c]).sum::<f64>() + noise;
    let weights = (0..rows * d).map(|t| entry(t / d, t % d, noise * normal())).collect();
    Layer { rows: features, labels, dim: d, map: LayerMap { rows, cols: d, weights } }
}

/// Figures of double precision whose subspaces are well separated: an error of a few hundred roundings, no more.
const ROUNDINGS: f64 = 1e-12;

fn close(what: &str, found: f64, exact: &Float) {
    let error = (real(found) - exact).abs().to_f64();
    assert!(error <= ROUNDINGS * exact.to_f64().abs().max(1.0), "{what}: {found} but exactly {}", exact.to_f64());
}

fn check(l: &Layer) {
    let k = *l.labels.iter().max().unwrap() as usize + 1;
    let found = map_metrics(&l.measured(), &l.map).unwrap();
    let w: Matrix = l.map.weights.chunks(l.dim).map(|row| row.iter().map(|x| real(*x)).collect()).collect();
    let (directions, values) = jacobi(w);
    let square = values.iter().fold(real(0.0), |s, x| s + Float::with_val(BITS, x.square_ref()));
    close("stable rank", found.stable_rank, &(square / Float::with_val(BITS, values[0].square_ref())));
    let total = values.iter().fold(real(0.0), |s, x| s + x);
    // Rows beyond the dimension leave values that are rounding.
    let parts = values.iter().map(|s| Float::with_val(BITS, s / &total)).filter(|p| *p > 1e-60);
    let entropy = parts.fold(real(0.0), |s, p| s - Float::with_val(BITS, p.ln_ref()) * p);
    close("effective rank", found.effective_rank, &entropy.exp());
    let r = l.dim.min(k - 1);
    let (span, _) = jacobi(centred_means(&l.rows, &l.labels, l.dim));
    let top: Matrix = directions[..r.min(l.map.rows)].to_vec();
    let (_, cosines) = jacobi(outer(&top, &span[..r].to_vec()));
    assert_eq!(found.principal_cosines.len(), cosines.len());
    for (found, exact) in found.principal_cosines.iter().zip(&cosines) {
        close("cosine", *found, exact);
    }
}

#[test]
fn ranks_and_angles_match_their_definitions() {
    for (seed, (k, d, rows)) in [(4, 7, 6), (3, 5, 5), (5, 3, 4), (6, 9, 3), (2, 4, 8), (10, 16, 10)].into_iter().enumerate() {
        for noise in [1e-6, 0.3, 3.0] {
            check(&layer(k, d, rows, noise, seed as u64));
        }
    }
}

#[test]
fn aligned_weights_have_cosines_of_one_and_orthogonal_ones_zero() {
    // Three class means of mean zero, in the plane of the first two axes.
    let means = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [-1.0, -1.0, 0.0, 0.0]];
    let cosines = |weights: Vec<f64>| {
        let (rows, labels) = (means.concat(), vec![0, 1, 2]);
        let l = Layer { rows, labels, dim: 4, map: LayerMap { rows: weights.len() / 4, cols: 4, weights } };
        map_metrics(&l.measured(), &l.map).unwrap().principal_cosines
    };
    let aligned = cosines(vec![0.0, 3.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0]);
    assert!(aligned.len() == 2 && aligned.iter().all(|c| (c - 1.0).abs() < 1e-15), "{aligned:?}");
    let apart = cosines(vec![0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 4.0, 0.0]);
    assert!(apart.iter().all(|c| c.abs() < 1e-15), "{apart:?}");
    let half = cosines(vec![0.0, 0.0, 0.0, 5.0, 4.0, 0.0, 0.0, 0.0]);
    assert!((half[0] - 1.0).abs() < 1e-15 && half[1].abs() < 1e-15, "{half:?}");
}

#[test]
fn effective_depth_is_where_the_nearest_mean_rule_is_as_good_as_at_the_end() {
    // Noise falls from layer to layer: the rule errs less and less.
    let layers: Vec<Measured> = [3.0, 1.0, 0.5, 1e-3, 1e-4]
        .iter()
        .map(|noise| {
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let labels: Vec<u32> = (0..60).map(|i| i % 3).collect();
            let rows = labels.iter().flat_map(|&l| [0, 1, 2].map(|j| f64::from(u8::from(j == l)))).map(|x| {
                let z: f64 = StandardNormal.sample(&mut rng);
                x + noise * z
            });
            measure(&Features::from_rows(rows.collect(), 3).unwrap(), &labels, None, Convention::Zhu, &|_, _| ()).unwrap()
        })
        .collect();
    let errors: Vec<f64> = layers.iter().map(|m| m.get("ncc_error").unwrap().value).collect();
    assert!(errors[0] > errors[2] && errors[2] > 0.0 && errors[3] == 0.0 && errors[4] == 0.0, "{errors:?}");
    assert_eq!(effective_depth(&layers, 0.0), Some(3));
    assert_eq!(effective_depth(&layers, errors[2]), Some(2));
    assert_eq!(effective_depth(&layers, 1.0), Some(0));
}

proptest! {
    /// Natural order is an order, puts numbers by size, and tells any two names apart.
    #[test]
    fn natural_order_is_total(names in proptest::collection::vec("[a-b]{0,2}[0-9]{0,3}[a-b]?[0-9]{0,2}", 3), m in 0u32..2000, n in 0u32..2000) {
        use std::cmp::Ordering::{Equal, Greater};
        let [a, b, c] = [&names[0], &names[1], &names[2]];
        prop_assert_eq!(natural_order(a, b), natural_order(b, a).reverse());
        prop_assert_eq!(natural_order(a, b) == Equal, a == b);
        if natural_order(a, b) != Greater && natural_order(b, c) != Greater {
            prop_assert!(natural_order(a, c) != Greater);
        }
        prop_assert_eq!(natural_order(&format!("epoch{m}.x"), &format!("epoch{n}.x")), m.cmp(&n));
    }
}
