//! High-precision matrix products by scheme.
//!
//! Method: criterion medians, all threads; a sampled entry is compared with its exact sum before timing. Bias: square matrices of entries
//! of full precision and one magnitude. The comparison with FLINT is benches/flint/run.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use faer::Mat;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rug::{Float, Integer, integer::Order};
use ufm::linalg::product::{ProductOptions, Scheme, exact_integer_product, product_with};

fn integers(n: usize, bits: u32, rng: &mut ChaCha8Rng) -> Mat<Integer> {
    Mat::from_fn(n, n, |_, _| {
        let limbs: Vec<u64> = (0..bits.div_ceil(64)).map(|_| rng.next_u64()).collect();
        let x = Integer::from_digits(&limbs, Order::Lsf).keep_bits(bits);
        if rng.next_u64() & 1 == 1 { -x } else { x }
    })
}

fn products(c: &mut Criterion) {
    let mut group = c.benchmark_group("product");
    group.sample_size(10);
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    for n in [32, 128] {
        for bits in [106, 512, 2048] {
            let (x, y) = (integers(n, bits, rng), integers(n, bits, rng));
            let floats = |x: &Mat<Integer>| Mat::from_fn(n, n, |i, j| Float::with_val(bits, &x[(i, j)]) >> bits);
            let (a, b) = (floats(&x), floats(&y));
            for scheme in [Scheme::Slices, Scheme::Residues] {
                let options = ProductOptions { scheme: Some(scheme), ..ProductOptions::new(bits) };
                let run = || product_with(a.as_ref(), b.as_ref(), &options);
                let result = run();
                let exact = Float::with_val(2 * bits + 64, Float::dot((0..n).map(|t| (&a[(1, t)], &b[(t, 2)]))));
                assert!((exact - &*result.mid[(1, 2)].borrow()).abs() <= result.rad[(1, 2)].to_float(), "{scheme:?} {n} {bits}");
                group.bench_function(BenchmarkId::new(format!("{scheme:?}"), format!("n={n} bits={bits}")), |b| b.iter(run));
            }
            let run = || exact_integer_product(x.as_ref(), y.as_ref(), true);
            assert_eq!(run()[(1, 2)], (0..n).map(|t| Integer::from(&x[(1, t)] * &y[(t, 2)])).sum::<Integer>());
            group.bench_function(BenchmarkId::new("integers", format!("n={n} bits={bits}")), |b| b.iter(run));
        }
    }
    group.finish();
}

criterion_group!(benches, products);
criterion_main!(benches);
