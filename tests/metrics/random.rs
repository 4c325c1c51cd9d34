//! Random data, tied and degenerate ones among them.

use proptest::prelude::*;
use ufm::metrics::{Accumulator, Classifier, Convention};

use crate::check::{check, within};
use crate::definitions::{Data, Exact};
use crate::linear::{dot, less};

/// Squares of distances and norms beyond which a quotient by them is well defined in doubles of size 1.
const APART: f64 = 1e-12;

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
                dot(&g, &g) > APART
            })
        });
        apart && x.centred.iter().all(|m| dot(m, m) > APART) && x.means.iter().all(|m| dot(m, m) > APART)
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
