//! Collapse metrics of features in memory: the moments alone, and all metrics.
//!
//! Method: criterion medians; drawing the data is outside the clock. Before a case is timed its NC1 must be defined with an error
//! bound below 1e-6 of its value. Bias: near collapse, where bounds decide NC4, and far from it, where products must.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use ufm::metrics::{Accumulator, Classifier, Convention, Features, measure};

const CLASSES: usize = 100;
const PER_CLASS: usize = 100;
const DIM: usize = 512;
const BOUND: f64 = 1e-6;

fn metrics(c: &mut Criterion) {
    let mut group = c.benchmark_group("metrics");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.throughput(Throughput::Bytes((CLASSES * PER_CLASS * DIM * 8) as u64));
    for sigma in [0.1, 1.2] {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut normal = || StandardNormal.sample(&mut rng);
        let weights: Vec<f64> = (0..CLASSES * DIM).map(|_| normal()).collect();
        let labels: Vec<u32> = (0..CLASSES * PER_CLASS).map(|i| (i % CLASSES) as u32).collect();
        let mut rows = vec![];
        for &label in &labels {
            let mean = &weights[label as usize * DIM..][..DIM];
            rows.extend(mean.iter().map(|m| m + sigma * normal()));
        }
        let classifier = Classifier { weights, bias: vec![0.0; CLASSES] };
        let features = Features::from_rows(rows.clone(), DIM).unwrap();
        let run = || measure(&features, &labels, Some(&classifier), Convention::Zhu, &|_, _| ()).unwrap();
        let nc1 = run().get("nc1").unwrap();
        assert!(nc1.bound < BOUND * nc1.value, "{nc1:?}");
        group.bench_function(format!("all, sigma {sigma}"), |b| b.iter(|| black_box(run())));
        group.bench_function(format!("moments, sigma {sigma}"), |b| {
            b.iter(|| {
                let mut moments = Accumulator::new(CLASSES, DIM);
                moments.update(black_box(&rows), &labels);
                moments.finish()
            })
        });
    }
    group.finish();
}

criterion_group!(benches, metrics);
criterion_main!(benches);
