//! scratch
use ufm as _;
#[path = "../src/linalg"]
mod linalg {
    pub mod product;
    pub mod vector;
}
use faer::Mat;
use linalg::product::*;
use rand::{Rng, SeedableRng};
use rug::{Float, Integer, integer::Order};
use std::time::Instant;
fn random(n: usize, p: u32, rng: &mut rand_chacha::ChaCha8Rng) -> Mat<Float> {
    Mat::from_fn(n, n, |_, _| {
        let d: Vec<u64> = (0..p.div_ceil(64)).map(|_| rng.next_u64()).collect();
        let z = Integer::from_digits(&d, Order::Lsf).keep_bits(p) | 1;
        let f = Float::with_val(p, z) >> p;
        if rng.next_u64() & 1 == 1 { -f } else { f }
    })
}
fn main() {
    let args: Vec<usize> = std::env::args().skip(1).map(|x| x.parse().unwrap()).collect();
    let parallel = args.get(0).copied().unwrap_or(0) == 1;
    let ns = if args.len() > 1 { vec![args[1]] } else { vec![32, 64, 128, 256, 512] };
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    for n in ns {
        for p in [106u32, 256, 512, 1024, 2048] {
            if args.len() > 2 && args[2] != p as usize { continue; }
            let (a, b) = (random(n, p, &mut rng), random(n, p, &mut rng));
            print!("{n} {p}");
            for scheme in [None, Some(Scheme::Slices), Some(Scheme::Residues), Some(Scheme::Direct)] {
                if n > 128 && scheme == Some(Scheme::Direct) || (n > 256 && p > 512 && scheme == Some(Scheme::Slices)) { continue; }
                let o = ProductOptions { prec: p, scheme, parallel, accuracy: Accuracy::Componentwise };
                let mut ts = vec![];
                let reps = if n < 256 && scheme != Some(Scheme::Direct) { 15 } else if n < 256 {2} else { 3 };
                let mut r = None;
                for _ in 0..reps {
                    let t = Instant::now();
                    r = Some(product_with(a.as_ref(), b.as_ref(), &o));
                    ts.push(t.elapsed().as_secs_f64() * 1e3);
                }
                ts.sort_by(f64::total_cmp);
                let r = r.unwrap();
                // check
                let mut worst = 0.0f64;
                for q in (0..n * n).step_by((n * n / 64).max(1)) {
                    let (i, j) = (q % n, q / n);
                    let exact = Float::with_val(2 * p + 64, Float::dot((0..n).map(|t| (&a[(i, t)], &b[(t, j)]))));
                    let d = Float::with_val(64, exact - &r.mid[(i, j)]).abs();
                    worst = worst.max(Float::with_val(64, d / &r.rad[(i, j)]).to_f64());
                }
                print!(" | {scheme:?} {:.3} ms err/rad {:.2} rad 2^{:?}", ts[ts.len() / 2], worst, r.rad[(0, 0)].get_exp());
            }
            println!();
        }
    }
}
