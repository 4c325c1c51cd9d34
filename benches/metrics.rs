//! Collapse metrics of features in memory: the moments alone, and all metrics; readers of files.
//!
//! Method: criterion medians; drawing the data is outside the clock. Before a case is timed its NC1 must be defined with an error
//! bound below 1e-6 of its value. Bias: near collapse, where bounds decide NC4, and far from it, where products must;
//! files lie in the page cache.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use ufm::metrics::{Accumulator, Classifier, Container, Convention, Features, Layout, measure};

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

/// A file read block by block: every sample is seen once, nothing is computed.
fn readers(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let (n, d) = (20_000usize, 64usize);
    let entry = |i: usize, j: usize| ((31 * i + 17 * j) as f64).sin();
    let npy = folder.path().join("features.npy");
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({n}, {d}), }}");
    let header = format!("{header:<117}\n");
    let mut bytes = [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
    bytes.extend((0..n * d).flat_map(|t| entry(t / d, t % d).to_le_bytes()));
    std::fs::write(&npy, bytes).expect("written");
    let csv = folder.path().join("features.csv");
    let line = |i: usize| (0..d).map(|j| format!("{:e}", entry(i, j))).collect::<Vec<_>>().join(",");
    std::fs::write(&csv, (0..n).map(line).collect::<Vec<_>>().join("\n")).expect("written");

    let mut group = c.benchmark_group("readers");
    group.sample_size(10).throughput(Throughput::Elements((n * d) as u64));
    for (name, path) in [("npy", &npy), ("csv", &csv)] {
        let read = || {
            let container = Container::open(path).expect("a file of features");
            let features = Features::from_array(container.arrays()[0].clone(), Layout::SamplesByDim).expect("a matrix");
            let mut seen = 0;
            let mut count = |block: &mut [f64], _| {
                seen += block.len();
                Ok(())
            };
            features.for_each_block(1024, &mut count).expect("numbers");
            seen
        };
        assert_eq!(read(), n * d, "{name}");
        group.bench_function(name, |b| b.iter(|| black_box(read())));
    }
    group.finish();
}

criterion_group!(benches, metrics, readers);
criterion_main!(benches);
