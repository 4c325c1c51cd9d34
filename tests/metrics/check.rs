//! Every metric of some data against its definition.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rug::Float;
use ufm::metrics::{Bounded, Classifier, Convention, Measured};

use crate::definitions::{Data, Exact, alignment, equiangle, equinorm, frame_distance, one_vs_rest};
use crate::linear::{BITS, Matrix, dot, first_least, outer, real, square, unit};

/// A quotient of counts, at most 1, is a double off by at most u; its bound may be a few times that.
const QUOTIENT: f64 = 4.0 * f64::EPSILON;

#[track_caller]
pub fn within(name: &str, found: Option<Bounded>, exact: &Float) {
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
pub fn check(data: &Data, convention: Convention) {
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

/// Fractions are counts: their bound is the rounding of the quotient.
pub fn counted(m: &Measured) {
    for name in ["nc4", "ncc_error", "classifier_error"] {
        if let Some(fraction) = m.get(name) {
            assert!(fraction.bound < QUOTIENT, "{name}: {fraction:?}");
        }
    }
}

/// Class means with singular values decaying by `decay`, an offset, isotropic noise.
pub fn synthetic(k: usize, d: usize, n: usize, decay: f64, offset: f64, sigma: f64, seed: u64) -> Data {
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
