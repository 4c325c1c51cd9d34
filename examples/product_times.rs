//! Times of high-precision products: `product_times SIZE BITS THREADS ROUNDS [SCHEME]` prints one JSON line (see benches/flint).
//! Schemes are 1, direct, 2, slices, 3, residues; without one the library chooses.
//!
//! Entries are signed integers of BITS random bits over 2^BITS, by splitmix64, so that another program can make the same. Before
//! anything is timed, sampled entries are compared with exact sums.

use std::time::Instant;

use faer::Mat;
use rug::{Float, Integer, integer::Order};
use ufm::linalg::product::{Enclosed, ProductOptions, Scheme, product_with};

/// Word `index` of the stream of `seed`.
fn splitmix64(seed: u64, index: u64) -> u64 {
    let z = seed.wrapping_add((index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

/// Entry (i, j) has the words from (i n + j)(words + 1) on: limbs, the least first, and a sign.
fn random(n: usize, bits: u32, seed: u64) -> Mat<Float> {
    let words = u64::from(bits.div_ceil(64));
    Mat::from_fn(n, n, |i, j| {
        let start = (i * n + j) as u64 * (words + 1);
        let limbs: Vec<u64> = (start..start + words).map(|w| splitmix64(seed, w)).collect();
        let x = Float::with_val(bits, Integer::from_digits(&limbs, Order::Lsf).keep_bits(bits)) >> bits;
        if splitmix64(seed, start + words) & 1 == 1 { -x } else { x }
    })
}

fn verify(a: &Mat<Float>, b: &Mat<Float>, c: &Enclosed, bits: u32) {
    let n = a.nrows();
    for q in (0..n * n).step_by((n * n / 100).max(1)) {
        let (i, j) = (q % n, q / n);
        let exact = Float::with_val(2 * bits + 64, Float::dot((0..n).map(|t| (&a[(i, t)], &b[(t, j)]))));
        let error = (exact - &*c.mid[(i, j)].borrow()).abs();
        assert!(error <= c.rad[(i, j)].to_float(), "entry ({i}, {j})");
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = std::env::args().skip(1).map(|x| x.parse()).collect::<Result<Vec<u32>, _>>()?;
    let (&[n, bits, threads, rounds], scheme) = match args.as_slice() {
        [first @ .., scheme] if first.len() == 4 => (first.try_into()?, Some(*scheme)),
        all => (all.try_into().map_err(|_| "usage: product_times SIZE BITS THREADS ROUNDS [SCHEME]")?, None),
    };
    let scheme = match scheme {
        None => None,
        Some(1) => Some(Scheme::Direct),
        Some(2) => Some(Scheme::Slices),
        Some(3) => Some(Scheme::Residues),
        Some(other) => return Err(format!("scheme {other}: 1, 2 or 3").into()),
    };
    rayon::ThreadPoolBuilder::new().num_threads(threads as usize).build_global()?;
    let n = n as usize;
    let (a, b) = (random(n, bits, 1), random(n, bits, 2));
    let options = ProductOptions { scheme, parallel: threads > 1, ..ProductOptions::new(bits) };
    let mut c = product_with(a.as_ref(), b.as_ref(), &options);
    verify(&a, &b, &c, bits);
    // The old result is freed inside the clock, as by the peer.
    let times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            c = product_with(a.as_ref(), b.as_ref(), &options);
            start.elapsed().as_secs_f64()
        })
        .collect();
    let corner = [0, n - 1].map(|q| c.mid[(q, q)].borrow().to_integer_exp().map(|(m, e)| (m.to_string_radix(16), e)));
    let radius = c.rad[(n - 1, n - 1)].to_float().to_f64_exp();
    println!("{}", serde_json::json!({ "seconds": times, "corner": corner, "radius": radius }));
    Ok(())
}
